"""tools/audit.py fails for what it must fail for, and says what it could not check."""

import http.server
import importlib.util
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

VULNERABILITY = {
    "id": "PYSEC-2099-1",
    "summary": "made up",
    "details": "made up",
    "aliases": ["CVE-2099-1"],
    "affected": [
        {
            "package": {"name": "rich", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools/audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Database(http.server.BaseHTTPRequestHandler):
    """Answers as OSV does: one package has a vulnerability."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = {"vulns": [VULNERABILITY]} if asked["package"]["name"] in self.server.bad else {}
        body = json.dumps(known).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def database(audit, monkeypatch) -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        server.bad = set()
        monkeypatch.setattr(audit, "SERVICES", ("osv",))
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/query")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_packages_without_a_known_vulnerability_pass(audit, database, capfd):
    assert audit.audit_python()
    assert "0 vulnerabilities" in capfd.readouterr().out


def test_a_package_with_a_vulnerability_fails(audit, database, capfd):
    database.bad.add("rich")
    assert not audit.audit_python()
    assert "PYSEC-2099-1, fixed in 99.0" in capfd.readouterr().err


def test_a_vulnerability_that_was_accepted_passes(audit, database, monkeypatch):
    database.bad.add("rich")
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-2099-1": "made up"})
    assert audit.audit_python()


def test_a_database_that_cannot_be_reached_is_said_and_passes_but_not_for_a_release(
    audit, database, monkeypatch, capfd
):
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:1/query")
    assert audit.audit_python()
    assert "NOT CHECKED" in capfd.readouterr().err
    monkeypatch.setenv("HOOKMQ_AUDIT", "strict")
    assert not audit.audit_python()


@pytest.mark.parametrize(("licence", "good"), [("MIT", True), ("GPL-3.0-only", False)])
def test_a_licence_that_is_not_listed_fails(audit, tmp_path, monkeypatch, licence, good):
    rules = (ROOT / "deny.toml").read_text()
    # A tree of one crate has not all the licences that ours has.
    (tmp_path / "deny.toml").write_text(
        rules.replace('unused-allowed-license = "deny"', 'unused-allowed-license = "allow"')
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/lib.rs").touch()
    (tmp_path / "Cargo.toml").write_text(
        f'[package]\nname = "one"\nversion = "1.0.0"\nlicense = "{licence}"\n'
    )
    subprocess.run(["cargo", "generate-lockfile", "--offline"], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    # Nothing is fetched: the advisories are not what is tested here.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file:///nowhere.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/RustSec/advisory-db")
    assert audit.audit_rust() is good
