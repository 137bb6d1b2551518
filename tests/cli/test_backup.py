"""`hookmq backup`, `hookmq restore` and `hookmq store check`."""

from __future__ import annotations

import json
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hookmq import Broker

from ..protocol.packets import V311, Connect, Publish
from ..protocol.wire import Wire
from ..web.api.site import Site

Run = Callable[..., subprocess.CompletedProcess[bytes]]


class Place:
    """A broker's data directory, with a session that waits for messages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with self.broker() as broker, self.connection(broker, "away") as wire:
            wire.subscribe("a/#", qos=1)

    def broker(self) -> Broker:
        return Broker(port=0, http_port=None, data_dir=self.directory)

    @staticmethod
    @contextmanager
    def connection(broker: Broker, name: str, *, clean: bool = False) -> Iterator[Wire]:
        with closing(Wire("127.0.0.1", broker.port, version=V311)) as wire:
            wire.connect(Connect(name, clean=clean))
            yield wire
            wire.disconnect()

    def publish(self, broker: Broker, *payloads: bytes) -> None:
        with self.connection(broker, "sender", clean=True) as wire:
            for payload in payloads:
                wire.publish("a/b", payload, 1)

    def waiting(self) -> list[bytes]:
        """What waits for the session, and in the history."""
        with self.broker() as broker, self.connection(broker, "away") as wire:
            assert wire.connack.session_present
            return [message.payload for message in wire.drain()]

    def history(self) -> list[str]:
        with self.broker() as broker:
            return [row.text for row in broker.history("a/#")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "hookmq-data")


@pytest.mark.parametrize("name", ["backup.tar", "backup.tar.gz"])
def test_a_backup_of_a_broker_that_runs_is_restored(
    hookmq: Run, place: Place, tmp_path: Path, name: str
) -> None:
    with place.broker() as broker:
        place.publish(broker, b"1", b"2")
        assert [row.text for row in broker.history("a/#")] == ["1", "2"]
        done = hookmq("backup", name)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(f"{name}: ".encode()) and b"MiB from hookmq-data" in done.stdout
        place.publish(broker, b"3")
    assert tarfile.is_tarfile(tmp_path / name)
    assert place.waiting() == [b"1", b"2", b"3"]

    done = hookmq("restore", name)
    assert (done.returncode, done.stdout) == (0, f"{name} is restored to hookmq-data\n".encode())
    assert place.history() == ["1", "2"]
    assert place.waiting() == [b"1", b"2"]
    (kept,) = place.directory.glob("replaced-*")
    assert (kept / "store").is_dir() and (kept / "history.db").is_file()


def test_a_broker_that_runs_takes_what_is_restored_at_its_next_start(hookmq: Run, place: Place) -> None:
    with place.broker() as broker:
        place.publish(broker, b"1")
        assert hookmq("backup", "backup.tar").returncode == 0
        place.publish(broker, b"2")
        done = hookmq("restore", "backup.tar", "--json")
        assert json.loads(done.stdout) == {"file": "backup.tar", "data_dir": "hookmq-data", "done": False}
        place.publish(broker, b"3")
    assert place.waiting() == [b"1"]


def test_accounts_tokens_and_dashboards_are_restored_and_sessions_are_not(
    hookmq: Run, tmp_path: Path
) -> None:
    root = {"name": "root", "password": "correct horse"}
    with Broker(port=0, http_port=0, data_dir=tmp_path / "hookmq-data") as broker:
        site = Site(broker)
        site.do("POST", "accounts", root | {"role": "admin"}, status=201)
        login = site.ask("POST", "session", root)
        assert login.status == 200, login.body
        cookie = {"Cookie": login.headers["Set-Cookie"].partition(";")[0]}
        made = site.ask("POST", "tokens", {"name": "ci", "role": "admin"}, headers=cookie)
        assert made.status == 201, made.body
        site.token = made.json["token"]
        tanks = site.do("POST", "dashboards", {"title": "Tanks", "widgets": []}, status=201)
        assert Site(broker).ask("GET", "accounts", headers=cookie).status == 200
        assert hookmq("backup", "backup.tar").returncode == 0
    assert (tmp_path / "backup.tar").stat().st_mode & 0o777 == 0o600
    assert hookmq("restore", "backup.tar", "--data-dir", "other").returncode == 0
    for name in ("accounts.json", f"dashboards/{tanks['id']}.json"):
        assert (tmp_path / "other" / name).stat().st_mode & 0o777 == 0o600
    with Broker(port=0, http_port=0, data_dir=tmp_path / "other") as broker:
        site = Site(broker)
        assert site.ask("GET", "accounts").status == 401, "whoever comes is asked who they are"
        assert site.ask("GET", "accounts", headers=cookie).status == 401
        assert site.ask("POST", "session", root).status == 200
        site.token = made.json["token"]
        assert [one["name"] for one in site.get("accounts")["items"]] == ["root"]
        assert site.get(f"dashboards/{tanks['id']}")["title"] == "Tanks"


def test_accounts_that_cannot_be_read_let_nobody_in_where_they_are_restored(
    hookmq: Run, place: Place, tmp_path: Path
) -> None:
    (place.directory / "accounts.json").write_text("{")
    assert hookmq("backup", "backup.tar").returncode == 0
    assert hookmq("restore", "backup.tar", "--data-dir", "other").returncode == 0
    assert (tmp_path / "other" / "accounts.json").read_text() == "{"
    with Broker(port=0, http_port=0, data_dir=tmp_path / "other") as broker:
        assert Site(broker).ask("GET", "accounts").status in (401, 403, 503)


def test_backups_under_load_are_whole(hookmq: Run, place: Place, tmp_path: Path) -> None:
    over = threading.Event()
    sent = 0

    def publish(broker: Broker) -> None:
        nonlocal sent
        with place.connection(broker, "sender", clean=True) as wire:
            while not over.is_set():
                wire.send(*(Publish("a/b", str(sent + one).encode(), 1, id=one) for one in range(1, 51)))
                for _ in range(50):
                    wire.read()
                sent += 50

    with place.broker() as broker:
        thread = threading.Thread(target=publish, args=(broker,))
        thread.start()
        acknowledged = []
        for number in range(3):
            acknowledged.append(sent)
            assert hookmq("backup", f"{number}.tar").returncode == 0
        over.set()
        thread.join()
    for number, least in enumerate(acknowledged):
        done = hookmq("restore", f"{number}.tar", "--data-dir", f"restored-{number}")
        assert done.returncode == 0, done.stderr
        other = object.__new__(Place)
        other.directory = tmp_path / f"restored-{number}"
        found = [int(payload) for payload in other.waiting()]
        assert found == list(range(1, len(found) + 1)) and len(found) >= least


def test_what_is_no_backup_changes_nothing(hookmq: Run, place: Place, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no backup")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.add(tmp_path / "text", "text")
    before = sorted(place.directory.rglob("*"))
    for name, reason in (
        ("text", "read"),
        ("other.tar", "it is no backup of HookMQ"),
        ("none", "No such file"),
    ):
        done = hookmq("restore", name)
        assert done.returncode == 1 and b"error[E701]" in done.stderr and reason.encode() in done.stderr
    assert sorted(place.directory.rglob("*")) == before


def test_a_damaged_backup_is_refused(hookmq: Run, place: Place, tmp_path: Path) -> None:
    with place.broker() as broker:
        place.publish(broker, b"find me", b"other")
    assert hookmq("backup", "backup.tar").returncode == 0
    data = bytearray((tmp_path / "backup.tar").read_bytes())
    assert data.count(b"find me") == 2, "in the history and in the store"
    for at in (data.index(b"find me"), data.rindex(b"find me")):
        data[at] ^= 1
        (tmp_path / "backup.tar").write_bytes(data)
        data[at] ^= 1
        done = hookmq("restore", "backup.tar")
        assert done.returncode == 1 and b"error[E701]" in done.stderr and b"it is damaged" in done.stderr
    assert place.waiting() == [b"find me", b"other"]


def test_a_backup_of_a_damaged_store_is_refused(hookmq: Run, place: Place) -> None:
    with place.broker() as broker:
        place.publish(broker, b"find me", b"other")
    (file,) = (place.directory / "store").glob("*.log")
    data = bytearray(file.read_bytes())
    data[data.index(b"find me")] ^= 1
    file.write_bytes(data)
    assert hookmq("backup", "backup.tar").returncode == 0, "as much is saved as there is"
    done = hookmq("restore", "backup.tar", "--data-dir", "other")
    assert done.returncode == 1 and b"error[E602]" in done.stderr and b"damaged" in done.stderr


def test_a_file_that_is_there_is_not_replaced(hookmq: Run, place: Place, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_text("mine")
    done = hookmq("backup", "backup.tar")
    assert done.returncode == 1 and b"error[E708]" in done.stderr
    assert (tmp_path / "backup.tar").read_text() == "mine"
    assert hookmq("backup", "backup.tar", "--replace").returncode == 0
    assert hookmq("backup", "none/backup.tar").returncode == 1
    assert hookmq("backup", "other.tar", "--data-dir", "none").returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "hookmq-data"]


def test_check(hookmq: Run, place: Place, tmp_path: Path) -> None:
    with place.broker() as broker:
        place.publish(broker, b"find me", b"other")
        done = hookmq("store", "check")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.endswith(b"everything that was committed is there\n")
    facts = json.loads(hookmq("store", "check", "--json").stdout)
    assert facts["ok"] and facts["damages"] == [] and facts["records"] > 0
    (file,) = (place.directory / "store").glob("*.log")
    data = bytearray(file.read_bytes())
    data[data.index(b"find me")] ^= 1
    file.write_bytes(data)
    done = hookmq("store", "check")
    assert done.returncode == 1 and b"cannot be read, with 1 records" in done.stdout
    facts = json.loads(hookmq("store", "check", "--json").stdout)
    (found,) = facts["damages"]
    assert not facts["ok"] and found["records"] == 1 and found["path"].endswith(file.name)
    done = hookmq("store", "check", "--data-dir", "none")
    assert done.returncode == 1 and b"error[E602]" in done.stderr
