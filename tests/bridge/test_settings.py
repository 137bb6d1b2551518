"""Settings of bridges: what is taken, and what is refused with which words."""

from __future__ import annotations

import socket

import pytest

from hookmq import HookMQError
from hookmq.settings.bridges import missing_files
from hookmq.settings.config import resolve

GOOD = {"name": "plant", "url": "mqtt://broker.example", "topics": [{"filter": "tank/#"}]}


def read(**changes: object):
    entry = {key: value for key, value in (GOOD | changes).items() if value is not None}
    return resolve(arguments={"bridges": [entry]}, environ={}).bridges[0]


def test_what_is_left_out():
    plant = read()
    assert plant.addresses == (("broker.example", 1883),) and not plant.tls
    assert plant.client_id == f"{socket.gethostname()}.plant"
    assert plant.topics == (("tank/#", "out", 2, "", ""),)
    assert (plant.protocol, plant.keep_alive, plant.session_expiry, plant.enabled) == ("5.0", 60, None, True)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("5.0", "5.0"), (5, "5.0"), ("mqttv50", "5.0"), ("3.1.1", "3.1.1"), (4, "3.1.1"), ("mqttv311", "3.1.1")],
)
def test_words_for_the_version(written, read_as):
    assert read(protocol=written).protocol == read_as


@pytest.mark.parametrize(
    ("url", "addresses", "tls"),
    [
        ("mqtts://broker.example", [("broker.example", 8883)], True),
        ("mqtt://[::1]:1884/", [("::1", 1884)], False),
        (["mqtt://a", "mqtt://b:1884"], [("a", 1883), ("b", 1884)], False),
        ("mqtts://a, mqtts://b", [("a", 8883), ("b", 8883)], True),
    ],
)
def test_urls(url, addresses, tls):
    plant = read(url=url)
    assert (list(plant.addresses), plant.tls) == (addresses, tls)


WRONG = [
    ({"nmae": "x"}, "E301", "did you mean `name`?"),
    ({"topics": [{"flter": "#"}]}, "E301", "did you mean `filter`?"),
    ({"name": None}, "E306", "a bridge needs `name`"),
    ({"url": None}, "E306", "a bridge needs `url`"),
    ({"topics": None}, "E306", "a bridge needs `topics`"),
    ({"topics": []}, "E306", "a bridge needs `topics`"),
    ({"topics": ["tank/#"]}, "E303", "expected a list of tables"),
    ({"name": "a/b"}, "E303", "a name without /, + and #"),
    ({"url": "broker.example"}, "E303", "URLs such as mqtt://"),
    ({"url": "ws://broker.example"}, "E303", "URLs such as mqtt://"),
    ({"url": "mqtt://broker.example/path"}, "E303", "URLs such as mqtt://"),
    ({"url": ["mqtt://a", "mqtts://b"]}, "E303", "all mqtt:// or all mqtts://"),
    ({"protocol": "3.1"}, "E303", "one of 5.0, 3.1.1"),
    ({"keep_alive": 70_000}, "E303", "from 0 to 65535"),
    ({"topics": [{"filter": "#", "direction": "up"}]}, "E303", "one of out, in, both"),
    ({"topics": [{"filter": "#", "qos": 3}]}, "E303", "from 0 to 2"),
    ({"topics": [{"filter": "a/#/b"}]}, "E901", "has '#' somewhere other than alone in the last level"),
    ({"topics": [{"local_prefix": "a"}]}, "E901", "remote topic filter"),
    ({"topics": [{"filter": "#", "local_prefix": "+/"}]}, "E901", "has a wildcard"),
    ({"topics": [{"filter": "$share/g/a"}]}, "E901", "is a shared subscription"),
    ({"topics": [{"filter": "$SYS/#"}]}, "E901", "belongs to this broker alone"),
    ({"password": "x"}, "E306", "`password` needs `username`"),
    ({"password_file": "x"}, "E306", "`password_file` needs `username`"),
    ({"username": "a\0b"}, "E303", "without the character U+0000"),
    ({"client_id": "a\0b"}, "E303", "without the character U+0000"),
    ({"notify_topic": "a/#"}, "E303", "a topic name, without + and #"),
    ({"notify_topic": "a\0"}, "E303", "a topic name, without + and #"),
    ({"notify_topic": "$share/a/b"}, "E303", "a topic name, without + and #"),
    ({"username": "u", "password": "x", "password_file": "y"}, "E901", "are both given"),
    ({"url": "mqtts://a", "cert_file": "x"}, "E306", "`cert_file` needs `key_file`"),
    ({"ca_file": "x"}, "E901", "`ca_file` is for TLS"),
    ({"insecure": True}, "E901", "`insecure` is for TLS"),
]


@pytest.mark.parametrize(("changes", "code", "words"), WRONG)
def test_wrong_ones_are_refused(changes, code, words):
    with pytest.raises(HookMQError) as caught:
        read(**changes)
    assert caught.value.code == code and words in str(caught.value), caught.value
    assert "Broker(bridges=…), bridge 1" in str(caught.value)


def test_a_password_in_a_url_is_not_shown():
    with pytest.raises(HookMQError) as caught:
        read(url="mqtt://me:telling@broker.example")
    assert "telling" not in str(caught.value)
    with_password = resolve(
        arguments={"bridges": [GOOD | {"username": "me", "password": "telling"}]}, environ={}
    )
    assert "telling" not in repr(with_password) + repr(with_password.bridges)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": 123456},
        {"password": ["123456"]},
        {"url": {"host": "mqtt://me:123456@broker"}},
        {"url": [{"url": "mqtt://me:123456@broker"}]},
    ],
)
def test_what_may_be_a_password_is_not_shown(changes):
    with pytest.raises(HookMQError) as caught:
        read(username="me", **changes)
    assert caught.value.code == "E303" and "123456" not in str(caught.value)
    assert "is something that is not shown; expected" in str(caught.value)


def test_a_name_that_is_there_twice():
    with pytest.raises(HookMQError, match="another bridge has this name"):
        resolve(arguments={"bridges": [GOOD, GOOD]}, environ={})


def test_files_that_cannot_be_read(tmp_path):
    there = tmp_path / "there"
    there.write_text("x")
    plant = read(url="mqtts://a", ca_file=str(there), cert_file=str(tmp_path / "no"), key_file=str(there))
    (error,) = missing_files([plant])
    assert error.code == "E901" and "`cert_file` cannot be read: no such file" in str(error)


def test_a_file_of_settings(tmp_path):
    (tmp_path / "hookmq.toml").write_text(
        """
        [[bridges]]
        name = "plant"
        url = ["mqtts://a.example", "mqtts://b.example"]
        username = "site-7"
        password_file = "secret"

        [[bridges.topics]]
        filter = "tank/#"
        remote_prefix = "site/7/"

        [[bridges.topics]]
        filter = "command/#"
        direction = "in"
        qos = 1
        """
    )
    (plant,) = resolve(arguments={}, environ={}, directory=tmp_path).bridges
    assert plant.topics == (("tank/#", "out", 2, "", "site/7/"), ("command/#", "in", 1, "", ""))
    assert plant.tls and plant.username == "site-7"
