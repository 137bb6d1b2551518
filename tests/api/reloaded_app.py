"""An app in a file that tests write anew while its broker runs."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

from .helpers import Seen

numbers = itertools.count(1)


class App:
    """An app in a file of its own, with a module beside it; what its hooks see is in `seen`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "app.py"
        self.name = f"reloaded_app_{next(numbers)}"
        self.seen = Seen()
        self.witness = types.ModuleType("witness")  # which no reload runs anew
        self.witness.seen = self.seen  # type: ignore[attr-defined]
        self.module: Any = None

    def write(self, body: str, **helpers: str) -> None:
        """Write the app anew, and modules beside it."""
        head = """
            from hookmq import *
            from hookmq import every
            from witness import seen

            broker = Broker(port=0, http_port=0)
            """
        self.path.write_text(textwrap.dedent(head) + textwrap.dedent(body))
        for name, text in helpers.items():
            (self.path.parent / f"{name}.py").write_text(textwrap.dedent(text))

    def load(self, body: str, **helpers: str) -> Any:
        """Write the app, run it for the first time and start its broker."""
        self.write(body, **helpers)
        spec = importlib.util.spec_from_file_location(self.name, self.path)
        assert spec is not None and spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = self.module
        spec.loader.exec_module(self.module)
        return self.module.broker.start()


def names(broker: Any) -> list[str]:
    return [info.name for info in broker.hooks]
