"""The command line: ``hookmq`` and ``python -m hookmq``.

A command is a line in ``commands.py`` and a module with ``configure`` and ``main``. Nothing is imported
before a command needs it, so that ``hookmq --help`` answers at once.

Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 the app cannot be imported, 5 cannot bind, 6 refused;
``sub -W`` ends with 27.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from hookmq.errors import HookMQError, render

from .commands import COMMANDS, OWN_LETTERS
from .usage import EXIT_USAGE, UsageError

__all__ = ["main"]

_EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
_EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE

_EPILOGUE = """\
exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 the app cannot be imported, 5 cannot bind, 6 refused
more about a command:   hookmq COMMAND --help"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` defaults to the arguments of the process.

    Errors are printed to stderr with their code and a way out, never as a traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        # What is still buffered may meet a closed pipe, which is better noticed here than at exit.
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"error: {error}\n\nUse 'hookmq {arguments[0]} --help' to see usage.", file=sys.stderr)
        return EXIT_USAGE
    except HookMQError as error:
        from hookmq.banner import wants_colour

        print(render(error, colour=wants_colour(sys.stderr)), file=sys.stderr)
        return error.exit_code
    except SystemExit as stop:  # of argparse, which has printed what there is to say, or of Broker.run()
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # `hookmq sub … | head -1`: nobody reads on. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE


def _dispatch(arguments: list[str]) -> int:
    given = arguments[0] if arguments else None
    if given in OWN_LETTERS:
        own: int = _module(OWN_LETTERS[given]).main(arguments[1:])
        return own
    parser, commands = _parser()
    chosen = None
    if given in COMMANDS:
        chosen = _module(given)
        chosen.configure(commands.choices[given])
    options = parser.parse_args(arguments)
    if options.version:
        code: int = _module("version").main(argparse.Namespace(json=False))
        return code
    if chosen is None:
        parser.print_help()
        return EXIT_USAGE
    code = chosen.main(options)
    return code


def _module(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __name__)


def _parser() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="hookmq",
        description="An MQTT broker that you program in Python.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        description = f"{summary[:1].upper()}{summary[1:]}."
        commands.add_parser(name, help=summary, description=description, allow_abbrev=False)
    return parser, commands
