"""``hookmq version``: which HookMQ this is, and what it runs on."""

from __future__ import annotations

import argparse

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON, with Python, platform and native module"
    )


def main(options: argparse.Namespace) -> int:
    """Print the version; return the exit code."""
    import hookmq

    if not options.json:
        print(f"hookmq {hookmq.__version__}")
        return 0

    import json
    import platform

    facts = {
        "version": hookmq.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "native": _native(),
    }
    print(json.dumps(facts))
    return 0


def _native() -> str | None:
    """Return the version of the native module, or ``None`` if it does not load on this machine."""
    import importlib

    try:
        module = importlib.import_module("hookmq._hookmq")
    except ImportError:
        return None
    return str(getattr(module, "__version__", "unknown"))
