"""Fixtures of the tests of authentication services: brokers that ask one, and the servers that are asked."""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trustme

from hookmq import Broker
from hookmq.authentication import AuthenticationService

from ..servers.postgresql import PostgreSQL
from .clients import shown
from .peer import Peer
from .slapd import PROGRAM, Slapd

# By the fixture that needs it.
NEEDED = {
    "slapd": ("slapd (apt install slapd)", PROGRAM is not None),
    "ldap": ("python-ldap (apt install libldap2-dev libsasl2-dev python3-dev)", bool(find_spec("ldap"))),
    "postgresql": (
        "PostgreSQL (apt install postgresql)",
        any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    ),
}
LEFT_OUT = [what for what, there in NEEDED.values() if not there]
LDAP = NEEDED["slapd"][1] and NEEDED["ldap"][1]

collect_ignore = [] if LDAP else ["test_ldap.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a server that is not installed."""
    missing = {name for name, (_, there) in NEEDED.items() if not there}
    if not LDAP:
        missing.add("slapd")
    items[:] = [item for item in items if not missing.intersection(getattr(item, "fixturenames", ()))]


def pytest_report_collectionfinish() -> list[str]:
    return [f"left out, not installed: {what}" for what in LEFT_OUT]


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No password and no token that a test has shown is in the log, on any level, of any library."""
    caplog.set_level(logging.DEBUG)
    shown.clear()
    yield
    formatter = logging.Formatter()
    for when in ("setup", "call"):
        for record in caplog.get_records(when):
            text = formatter.format(record)
            found = [one for one in shown if len(one) > 3 and one in text]
            assert not found, f"in the log: {text}"


@pytest.fixture
def guarded(broker_factory: Callable[..., Broker]) -> Callable[..., Broker]:
    """`guarded(service, …)` starts a broker that asks these services, in this order."""

    def guarded(*services: AuthenticationService, settings: Any = None, **arguments: Any) -> Broker:
        broker = broker_factory(settings, start=False, **arguments)
        for service in services:
            broker.authenticate_with(service)
        return broker.start()

    return guarded


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate authority; `ca_file` is its certificate, `server` that of this machine with its key."""
    place = tmp_path_factory.mktemp("authority")
    made: Any = trustme.CA()
    made.ca_file = place / "ca.pem"
    made.cert_pem.write_to_path(made.ca_file)
    made.server = made.issue_cert("127.0.0.1", "localhost")
    made.cert_file, made.key_file = place / "server.pem", place / "server.key"
    made.server.private_key_pem.write_to_path(made.key_file)
    made.cert_file.write_bytes(b"".join(blob.bytes() for blob in made.server.cert_chain_pems))
    return made


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that has signed nothing."""
    path = tmp_path_factory.mktemp("other") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A web server whose answers the test chooses."""
    made = Peer()
    yield made
    made.stop()


@pytest.fixture
def secure_peer(authority: Any) -> Iterator[Peer]:
    """The same with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.server.configure_cert(context)
    made = Peer(context)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def running_slapd(tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Iterator[Slapd]:
    """A directory, started once."""
    place = tmp_path_factory.mktemp("slapd")
    made = Slapd(place, authority.ca_file, authority.cert_file, authority.key_file)
    yield made
    made.stop()


@pytest.fixture
def slapd(running_slapd: Slapd) -> Iterator[Slapd]:
    """The directory; whatever the test did to it, it runs afterwards."""
    yield running_slapd
    if running_slapd.process.process is None:
        running_slapd.start()
    running_slapd.thaw()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """PostgreSQL, started once; it does not run as root, so its directory is one that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="hookmq-tests-") as place:
        Path(place).chmod(0o755)
        made = PostgreSQL(Path(place) / "postgresql")
        yield made
        made.close()
