"""The web login: the form, the session, and who is kept out."""

from __future__ import annotations

import logging
import threading
from urllib.parse import urlencode

import pytest

from hookmq import HookMQError

from ..api.asgi_apps import browser
from ..api.helpers import Device, get, request

GUARDED = """
    def page():
        return "inside"

    def custom_urls():
        return {"AUTHENTICATION": "ENABLE", "urls": [{"/page": page}]}
"""
DEFAULTS = "[WEB_LOGIN_PAGE]\nWEB_LOGIN = ENABLED\nWEB_USERNAME = admin\nWEB_PASSWORD = admin\n"


@pytest.fixture
def site(home, run_home):
    home.extension("custom_ui_server.py", GUARDED)
    return run_home(home)


def log_in(site, password="correct horse", **more):
    body = urlencode({"username": "operator", "password": password, **more})
    return request(site, "POST", "/login", body, Content_Type="application/x-www-form-urlencoded")


def test_the_way_in_and_out(site):
    assert get(site, "/page").status == 401
    turned = request(site, "GET", "/page?n=7", Accept="text/html")
    assert (turned.status, turned.headers["Location"]) == (303, "/login?next=%2Fpage%3Fn%3D7")
    form = get(site, turned.headers["Location"])
    assert form.status == 200 and 'name="next" value="/page?n=7"' in form.text
    entered = log_in(site, next="/page?n=7")
    assert (entered.status, entered.headers["Location"]) == (303, "/page?n=7")
    cookie, _, attributes = entered.headers["Set-Cookie"].partition(";")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} == {
        one.strip() for one in attributes.split(";")
    }
    assert request(site, "GET", "/page", Cookie=f"other=1; {cookie}").body == b"inside"
    assert request(site, "GET", "/page", Cookie="hookmq_pages=guess").status == 401
    left = request(site, "POST", "/logout", Cookie=cookie)
    assert (left.status, left.headers["Location"]) == (303, "/login")
    assert request(site, "GET", "/page", Cookie=cookie).status == 401


def test_a_link_leads_nowhere_else(site):
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/\r\nX: y"):
        assert log_in(site, next=target).headers["Location"] == "/"
        assert 'value="/"' in get(site, "/login?" + urlencode({"next": target})).text
    assert "&quot;&gt;" in get(site, "/login?" + urlencode({"next": '/">'})).text


def test_wrong_passwords_are_bounded(site, home):
    for _ in range(5):
        assert log_in(site, "wrong").status == 401
    late = log_in(site)
    assert (late.status, late.headers["Retry-After"]) == (429, "60")
    site.stop()
    assert "correct horse" not in home.log


def test_who_may_listen_to_pushes(site):
    cookie = log_in(site).headers["Set-Cookie"].partition(";")[0]
    with browser(site, "/ws") as stranger:
        assert stranger.read_close() == 1008
    enough = threading.Event()

    def publish(device):
        while not enough.wait(0.01):
            device.publish("a", "text")

    with browser(site, "/ws", Cookie=cookie) as page, Device(site, "pump") as device:
        page.send("routepublish")
        publisher = threading.Thread(target=publish, args=(device,))
        publisher.start()
        try:
            assert '"work"' in page.read()
        finally:
            enough.set()
            publisher.join()


@pytest.mark.parametrize(
    "login",
    [
        DEFAULTS,
        "[WEB_LOGIN_PAGE]\nWEB_LOGIN = ENABLED\n",
        "[UI]\n",
        "[WEB_LOGIN_PAGE]\nWEB_USERNAME = tank\nWEB_PASSWORD = Tank\n",
    ],
    ids=["admin", "none", "nothing", "name"],
)
def test_default_passwords_are_for_this_machine_only(home, run_home, login):
    home.broker("[CONFIG]\nPORT_NO = 0\nWS_PORT_NO = OFF\n[UI]\nUI_Http_Port = 0\n" + login)
    with pytest.raises(
        HookMQError, match=r"everybody knows the web login's password, and 0\.0\.0\.0 is open"
    ) as failure:
        run_home(home, host="0.0.0.0", allow_anonymous=True)
    assert failure.value.code == "E804" and failure.value.exit_code == 3
    run_home(home).stop()
    assert run_home(home, host="0.0.0.0", allow_anonymous=True, http_port=None, http_ports=[], port=0).running


def test_pages_that_ask_for_a_login_that_is_off(home, run_home, caplog):
    home.broker(
        "[CONFIG]\nPORT_NO = 0\nWS_PORT_NO = OFF\n"
        "[UI]\nUI_Http_Port = 0\n[WEB_LOGIN_PAGE]\nWEB_LOGIN = DISABLED\n"
    )
    home.extension("custom_ui_server.py", GUARDED)
    with pytest.raises(HookMQError, match="which is switched off") as failure:
        run_home(home, host="0.0.0.0", allow_anonymous=True)
    assert failure.value.code == "E804"
    with caplog.at_level(logging.WARNING, "hookmq"):
        broker = run_home(home)
    assert "everybody on this machine sees them" in caplog.text
    assert get(broker, "/page").body == b"inside"
