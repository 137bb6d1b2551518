"""Fixtures of the tests of access: brokers with users and rules in files."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from ..limits.conftest import dial, reach
from ..protocol.conftest import connect, root, version

__all__ = ["connect", "dial", "reach", "root", "version"]


class Access:
    """The two files in the test's own folder."""

    def __init__(self, folder: Path) -> None:
        self.acl = folder / "acl"
        self.users = folder / "users"

    def rules(self, text: str) -> None:
        """Writes the rules anew."""
        self.acl.write_text(textwrap.dedent(text))

    def entries(self, *lines: str) -> None:
        """Writes the users anew."""
        self.users.write_text("".join(line + "\n" for line in lines))


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """The files of users and rules."""
    return Access(tmp_path)


@pytest.fixture
def ruled(broker_factory: Callable[..., Broker], access: Access) -> Callable[..., Broker]:
    """`ruled(rules)` starts a broker with these rules; everyone gets in, with whatever name."""

    def ruled(text: str, settings: dict[str, Any] | None = None, **arguments: Any) -> Broker:
        access.rules(text)
        broker = broker_factory(
            {"access.acl_file": str(access.acl)} | (settings or {}), start=False, **arguments
        )
        broker.authenticate(lambda client: True)
        return broker.start()

    return ruled


@pytest.fixture
def gated(broker_factory: Callable[..., Broker], access: Access) -> Callable[..., Broker]:
    """`gated("ann:…", "tom:…")` starts a broker with these users."""

    def gated(*lines: str, **settings: Any) -> Broker:
        access.entries(*lines)
        return broker_factory({"access.users_file": str(access.users)} | settings)

    return gated
