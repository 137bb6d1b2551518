"""E-mails by a real server of SMTP: what they say, what they cannot be made to say, what is tried again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from hookmq import Broker
from hookmq.connectors import Courier, Email

from ..api.helpers import Device, eventually
from ..connectors.records import record, until
from .smtp import MailServer

LOGIN = ("plant", "swordfish")

# What the server thinks of a login in clear text; on loopback it may be.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


def action(server: MailServer, **more: Any) -> dict[str, Any]:
    base = {"kind": "email", "server": "127.0.0.1", "port": server.port, "security": "none"}
    return base | {"from": "Plant <plant@example.com>", "to": "shift@example.com"} | more


def add(broker: Any, server: MailServer, sql: str = 'SELECT payload.t AS t FROM "in/#"', **more: Any) -> None:
    broker.add_rule("mail", sql, [action(server, **more)])


def test_a_mail_for_each_result(broker: Broker, server: MailServer) -> None:
    add(
        broker,
        server,
        to=["shift@example.com", "Boß <${clientid}@example.com>"],
        subject="${topic} is at ${t} °C",
    )
    with Device(broker, "pump") as pump:
        pump.publish("in/a", json.dumps({"t": 31}))
        pump.publish("in/b", json.dumps({"t": 32}))
    eventually(lambda: len(server.mails) == 2)
    mail = server.mails[0]
    assert (mail.sender, mail.recipients) == ("plant@example.com", ["shift@example.com", "pump@example.com"])
    message = mail.message
    assert message["Subject"] == "in/a is at 31 °C"
    assert message["From"] == "Plant <plant@example.com>" and "Boß" in message["To"]
    assert message["Date"] and message["Message-ID"] != server.mails[1].message["Message-ID"]
    assert json.loads(message.get_content()) == {"t": 31}
    info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).done == 2 and i)
    assert (info.state, info.failed, info.waiting) == ("up", 0, 0)
    assert info.target == f"shift@example.com, Boß <${{clientid}}@example.com> by 127.0.0.1:{server.port}"


def test_text_and_html(broker: Broker, server: MailServer) -> None:
    add(broker, server, body="It is ${t}.\n.\nEnd", html="<b>${t}</b>")
    with Device(broker, "pump") as pump:
        pump.publish("in/a", json.dumps({"t": "<script>"}))
    eventually(lambda: server.mails)
    message = server.mails[0].message
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None and plain.get_content() == "It is <script>.\n.\nEnd\n"
    assert html is not None and html.get_content().strip() == "<b>&lt;script&gt;</b>"


INJECTIONS = [
    "a\r\nBcc: victim@example.com",
    "a\nBcc: victim@example.com\n\nbody",
    "a\r\n\r\n<script>",
    "a\x00\x0b\x0c\x85\u2028b",
    "=?utf-8?q?=0ABcc:_victim@example.com?=",
    "x" * 5000,
    "é" * 300,
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_client_writes_no_headers(broker: Broker, server: MailServer, text: str) -> None:
    add(broker, server, 'SELECT payload AS p FROM "in/#"', subject="${p}", body="${p}")
    with Device(broker, "pump") as pump:
        pump.publish("in/a", text)
    eventually(lambda: server.mails)
    mail = server.mails[0]
    assert mail.recipients == ["shift@example.com"]
    assert sorted(key.lower() for key in mail.message) == sorted(
        [
            *("from", "to", "subject", "date", "message-id"),
            *("mime-version", "content-type", "content-transfer-encoding"),
            *(["x-peer"] if "x-peer" in {key.lower() for key in mail.message} else []),
        ]
    )
    assert "bcc" not in {key.lower() for key in mail.message}


@pytest.mark.parametrize(
    "who", ["a@b.example, c@d.example", "x\r\nRCPT TO:<y@z.example>", "", "no address", "<>"]
)
def test_a_recipient_that_is_no_address_is_a_dead_letter(
    broker_factory: Callable[..., Any], server: MailServer, tmp_path: Path, who: str
) -> None:
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    add(broker, server, 'SELECT payload.to AS to FROM "in/#"', to="${to}")
    with Device(broker, "pump") as pump:
        pump.publish("in/a", json.dumps({"to": who}))
        pump.publish("in/a", json.dumps({"to": "good@example.com"}))
    eventually(lambda: server.mails)
    assert [mail.recipients for mail in server.mails] == [["good@example.com"]]
    info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).failed == 1 and i)
    letter = json.loads(Path(info.dead_letters).read_text())
    assert "is not one address of a mail" in letter["reason"]
    assert letter["record"]["detail"]["result"] == {"to": who}


def test_a_server_that_is_away(broker: Broker, server: MailServer) -> None:
    add(broker, server)
    server.stop()
    with Device(broker, "pump") as pump:
        for n in range(3):
            pump.publish("in/a", json.dumps({"t": n}))
    info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).state == "down" and i)
    assert "refused" in info.reason.lower()
    server.start()
    eventually(lambda: len(server.mails) == 3, 20)
    assert [json.loads(mail.message.get_content())["t"] for mail in server.mails] == [0, 1, 2]


@pytest.mark.parametrize(
    ("answer", "again"),
    [("451 later", True), ("421 going down", True), ("554 never", False), ("552 full", False)],
)
def test_what_is_tried_again(broker: Broker, server: MailServer, answer: str, again: bool) -> None:
    server.refusals = [answer]
    add(broker, server)
    with Device(broker, "pump") as pump:
        pump.publish("in/a", json.dumps({"t": 1}))
        pump.publish("in/a", json.dumps({"t": 2}))
    eventually(lambda: len(server.mails) == 1 + again, 20)
    info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).waiting == 0 and i)
    assert (info.failed, info.retries > 0) == (not again, again)


def test_it_gives_up(broker: Broker, server: MailServer) -> None:
    server.refusals = ["451 later"] * 3
    add(broker, server, retries=2)
    with Device(broker, "pump") as pump:
        pump.publish("in/a", json.dumps({"t": 1}))
        pump.publish("in/a", json.dumps({"t": 2}))
    eventually(lambda: server.mails, 20)
    assert [json.loads(mail.message.get_content())["t"] for mail in server.mails] == [2]
    assert eventually(lambda: broker.rules["mail"].info().actions[0].failed) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_and_login(broker_factory: Callable[..., Any], tmp_path: Path, security: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (tmp_path / "password").write_text("swordfish\n")
    with MailServer(LOGIN, context, starttls=security == "starttls") as server:
        broker = broker_factory()
        more = {"security": security, "ca": str(tmp_path / "ca.pem"), "username": "plant"}
        add(broker, server, **more, password_file=str(tmp_path / "password"))
        with Device(broker, "pump") as pump:
            pump.publish("in/a", json.dumps({"t": 1}))
        eventually(lambda: server.mails, 20)
        broker.stop()


def test_a_wrong_password_is_told_and_waits(broker: Broker) -> None:
    with MailServer(LOGIN) as server:
        add(broker, server, username="plant", password="trout")
        with Device(broker, "pump") as pump:
            pump.publish("in/a", json.dumps({"t": 1}))
        info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).state == "down" and i)
        assert "535" in info.reason and "trout" not in info.reason and info.failed == 0
        broker.stop()


def test_a_certificate_that_nobody_vouches_for(broker: Broker) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with MailServer(None, context) as server:
        add(broker, server, security="tls")
        with Device(broker, "pump") as pump:
            pump.publish("in/a", json.dumps({"t": 1}))
        info = eventually(lambda: (i := broker.rules["mail"].info().actions[0]).state == "down" and i)
        assert "certificate" in info.reason.lower() and not server.mails
        broker.stop()


# As a connector ---------------------------------------------------------------------------------------------


def test_the_connector(server: MailServer, tmp_path: Path) -> None:
    mail = Email(
        "127.0.0.1",
        port=server.port,
        security="none",
        sender="plant@example.com",
        to="shift@example.com",
        subject="${topic}: ${payload.flow}",
    )
    courier = Courier(mail, tmp_path / "mail", patience=0.2)
    courier.start()
    courier.put([record(1), record(2, b"\xff")])
    assert courier.wait(10)
    until(lambda: len(server.mails) == 2)
    courier.stop(5)
    assert [mail.message["Subject"] for mail in server.mails] == [
        "plant/north/flow: 100.59",
        "plant/north/flow:",
    ]


def test_messages_of_a_broker(broker: Broker, server: MailServer) -> None:
    mail = Email(
        "127.0.0.1",
        port=server.port,
        security="none",
        sender="a@example.com",
        to="b@example.com",
        body="${clientid}",
    )
    broker.send_to(mail, "alarm/#")
    with Device(broker, "pump") as pump:
        pump.publish("alarm/x", b"1")
    eventually(lambda: server.mails)
    assert server.mails[0].message["Subject"] == "alarm/x"
    assert server.mails[0].message.get_content() == "pump\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"security": "ssl"}, "security is"),
        ({"username": "x"}, "go together"),
        ({"to": []}, "names nobody"),
        ({"to": "nobody"}, "is not one address"),
        ({"sender": "nobody"}, "is not one address"),
        ({"subject": "${x"}, "subject: "),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Email("mail", **({"sender": "a@example.com", "to": "b@example.com"} | options))
