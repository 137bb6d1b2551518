"""The old product's REST calls, as its programs make them: forms and JSON."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from ...api.helpers import Device
from .site import Site

PREFIXES = ["/crystalmq/api/v1", "/bwiot/api/v1"]


@pytest.fixture(params=PREFIXES)
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def accounts(site: Site) -> None:
    made = {"name": "admin", "password": "correct horse", "role": "admin"}
    site.do("POST", "accounts", made, status=201)
    cookie = site.ask("POST", "session", {"name": "admin", "password": "correct horse"}).headers["Set-Cookie"]
    viewer = {"name": "looks", "password": "correct horse", "role": "viewer"}
    headers = {"Cookie": cookie.partition(";")[0]}
    assert site.ask("POST", "accounts", viewer, headers=headers).status == 201


def call(
    site: Site,
    method: str,
    path: str,
    data: dict[str, Any] | None = None,
    token: str = "",
    *,
    form: bool = True,
) -> tuple[int, Any]:
    """Ask as a program does that knows nothing of HookMQ."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None
    if data is not None and method == "GET":
        path += "?" + urlencode(data)
    elif data is not None:
        body = urlencode(data) if form else json.dumps(data)
        headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def login(site: Site, prefix: str, name: str = "admin", **options: Any) -> str:
    given = {"username": name, "password": "correct horse"}
    status, told = call(site, "POST", f"{prefix}/login", given, **options)
    assert (status, told["bwapi-status"], told["bwapi-status-reason"]) == (200, "success", "Logged in")
    return str(told["access_token"])


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.usefixtures("accounts")
def test_a_program_logs_in_and_sends(site: Site, prefix: str, form: bool) -> None:
    token = login(site, prefix, form=form)
    with Device(site.broker, "pump") as device:
        device.subscribe("tank/#")
        given = {"clientid": "pump", "topic": "tank/cmd", "message": "öffnen", "QoS": "1", "retain": 0}
        status, told = call(site, "POST", f"{prefix}/clientsend", given, token, form=form)
        assert (status, told["bwapi-status-reason"]) == (200, "Message has been sent to pump")
        got = device.receive()
        assert (got.payload.decode(), got.qos) == ("öffnen", 1)
        status, _ = call(site, "POST", f"{prefix}/topic/send_command/", given, token, form=form)
        assert status == 200 and device.receive().topic == "tank/cmd"


@pytest.mark.usefixtures("accounts")
def test_devices_and_subscriptions(site: Site, prefix: str) -> None:
    token = login(site, prefix, "looks")
    with Device(site.broker, "pump") as device:
        device.subscribe("tank/#")
        _, told = call(site, "GET", f"{prefix}/device/list/", {"page": 1, "status": "all"}, token)
        (found,) = told["devices"]
        assert (told["status"], told["page"]) == ("Success", 1)
        assert (found["client_id"], found["connect_status"], found["ip"]) == ("pump", 2, "127.0.0.1")
        _, told = call(site, "GET", f"{prefix}/subscriptions", {"clientid": "pump"}, token)
        assert told["subscriptions"] == [{"client_id": "pump", "topic_name": "tank/#", "qos": 1}]
        assert call(site, "GET", f"{prefix}/devices", {"status": "inact"}, token)[1]["devices"] == []
        assert call(site, "GET", f"{prefix}/devices", {"page": "2"}, token)[1]["devices"] == []
        assert call(site, "GET", f"{prefix}/devices", {"page": "x"}, token)[0] == 400
    given = {"topic": "tank/cmd", "message": "x"}
    status, told = call(site, "POST", f"{prefix}/sendall", given, token)
    assert status == 403 and told["bwapi-status-reason"] == "a viewer may not do that"


@pytest.mark.usefixtures("accounts")
def test_what_is_refused(site: Site, prefix: str) -> None:
    wrong = {"username": "admin", "password": "admin"}
    status, told = call(site, "POST", f"{prefix}/login", wrong)
    assert (status, told["bwapi-status"]) == (401, "fail") and "access_token" not in told
    assert "hookmq accounts add NAME" in told["bwapi-status-reason"]
    status, told = call(site, "POST", f"{prefix}/login", {"username": "admin"})
    assert (status, told["bwapi-status-reason"]) == (400, "Missing parameter:password")
    for token in ("", "x" * 43, "hmq_nonsense", "ü" * 10):
        shown = token.encode().decode("latin-1")
        assert call(site, "GET", f"{prefix}/devices", token=shown)[0] == 401
    token = login(site, prefix)
    status, told = call(site, "GET", f"{prefix}/devices?status=foo", token=token)
    assert status == 400 and "all, act, inact" in told["bwapi-status-reason"]
    assert call(site, "GET", f"{prefix}/nothing", token=token)[0] == 404
    assert call(site, "GET", f"{prefix}/sendall", token=token)[0] == 405
    given = {"clientid": "none", "topic": "tank/cmd", "message": "x"}
    assert call(site, "POST", f"{prefix}/clientsend", given, token)[0] == 404
    for more, words in (
        ({"topic": "a/#"}, "wildcard"),
        ({"topic": ""}, "Missing parameter:topic"),
        ({"QoS": "3"}, "0, 1 or 2"),
    ):
        status, told = call(site, "POST", f"{prefix}/sendall", given | more, token)
        assert status == 400 and words in told["bwapi-status-reason"]
    assert call(site, "POST", f"{prefix}/sendall", {"topic": "$SYS/a", "message": "x"}, token)[0] == 403


@pytest.mark.usefixtures("accounts")
def test_a_cookie_alone_is_no_token(site: Site, prefix: str) -> None:
    """A page of somebody else's sends the browser's cookie, but no header of its own."""
    token = login(site, prefix)
    for method, path in (("POST", "sendall"), ("POST", "clientsend")):
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        body = urlencode({"topic": "tank/cmd", "message": "x", "clientid": "pump"})
        headers = {
            "Cookie": f"hookmq_session_{site.port}={token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request(method, f"{prefix}/{path}", body, headers)
        answer = connection.getresponse()
        told = answer.read().decode()
        assert answer.status == 401 and "log in first" in told and "X-HookMQ" not in told
        connection.close()


def test_with_an_api_token(site: Site, prefix: str) -> None:
    made = site.do("POST", "tokens", {"name": "old program", "role": "operator"}, status=201)
    site.do("POST", "accounts", {"name": "admin", "password": "correct horse", "role": "admin"}, status=201)
    given = {"topic": "tank/cmd", "message": "x"}
    assert call(site, "POST", f"{prefix}/sendall", given, made["token"])[0] == 200
