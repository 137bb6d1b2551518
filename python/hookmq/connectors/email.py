"""The connector to a mail server."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any, Literal

from .._hookmq import RuleError, check_template, render_template
from .connector import Connector, Rejection, redacted
from .fields import filled
from .record import Record

__all__ = ["Email", "mail_address"]

SECURITIES = ("starttls", "tls", "none")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
LONGEST_SUBJECT = 400

_ENCODED = ("=?", "= ?")
"""What begins a word that mail programs, and Python's own library, decode: a line end may be in it."""


class Email(Connector):
    """An e-mail for each record, over SMTP.

    Subject, body and recipients are templates: ``${topic}``, ``${payload.level}``, ``${clientid}``. A line
    end in a subject or an address becomes a space, so that nothing a client sends is a header. A mail that is
    sent again has the same ``Message-ID``.

    Args:
        server: its host.
        port: 587 with ``security="starttls"``, 465 with ``"tls"``, 25 with ``"none"``.
        security: ``"starttls"``, ``"tls"`` or ``"none"``, which sends passwords and mails in clear text.
        username, password: to log in.
        sender: who it is from, such as ``"Plant <plant@example.com>"``.
        to: who gets it: one address, or several.
        subject, body: of the mail; the body is plain text.
        html: the same as HTML, for programs that show it; what fields say is escaped.
        ca: path of the authorities' certificates.
        timeout: seconds that a connection and each answer may take.
        name: as that of :class:`~hookmq.connectors.Connector`.

    ```python
    from hookmq.connectors import Email

    alarms = Email("mail.example", sender="plant@example.com", to="shift@example.com", subject="${topic}")
    broker.send_to(alarms, "plant/+/alarm")
    ```

    >>> Email("mail.example", sender="a@example.com", to="b@example.com").describe()
    'b@example.com by mail.example:587'
    """

    kind = "email"

    def __init__(
        self,
        server: str,
        *,
        sender: str,
        to: str | Sequence[str],
        subject: str = "${topic}",
        body: str = "${payload}",
        html: str | None = None,
        port: int | None = None,
        security: Literal["starttls", "tls", "none"] = "starttls",
        username: str | None = None,
        password: str | None = None,
        ca: str | None = None,
        timeout: float = 10.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, batch_rows=1, batch_delay=0.0)
        if security not in SECURITIES:
            raise ValueError(f"security is 'starttls', 'tls' or 'none', not {security!r}")
        if (username is None) is not (password is None):
            raise ValueError("username and password go together")
        self.to = (to,) if isinstance(to, str) else tuple(to)
        if not self.to:
            raise ValueError("to names nobody")
        self._sender = mail_address(sender)
        for address in self.to:
            if "${" not in address:
                mail_address(address)
        texts = {"subject": subject, "body": body, **({} if html is None else {"html": html})}
        for key, text in (*texts.items(), *(("to", address) for address in self.to)):
            try:
                check_template(text)
            except RuleError as error:
                raise ValueError(f"{key}: {error.args[0]}") from None
        self._texts = texts
        self._server, self._port = server, port or _PORTS[security]
        self._security, self._login = security, (username, password)
        self._ca, self._timeout = ca, timeout
        self._smtp: smtplib.SMTP | None = None

    def open(self) -> None:
        """Connect and log in."""
        self.close()
        context = None if self._security == "none" else ssl.create_default_context(cafile=self._ca)
        if self._security == "tls":
            made: smtplib.SMTP = smtplib.SMTP_SSL(
                self._server, self._port, timeout=self._timeout, context=context
            )
        else:
            made = smtplib.SMTP(self._server, self._port, timeout=self._timeout)
        self._smtp = made
        if self._security == "starttls":
            made.starttls(context=context)
        username, password = self._login
        if username is not None and password is not None:
            made.login(username, password)

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Send a mail for each record."""
        for record in records:
            self.send(record, *fields_of(record))
        return None

    def send(self, record: Record, row: Mapping[str, Any], source: Mapping[str, Any]) -> None:
        """Send the mail of a record whose fields these are. Raises as :meth:`write`."""
        message = self.message(row, source)
        message["Date"] = format_datetime(record.moment)
        message["Message-ID"] = f"<{record.id}@{self._sender.domain or 'hookmq'}>"
        if self._smtp is None:
            self.open()
        assert self._smtp is not None
        self._smtp.send_message(message)

    def message(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> EmailMessage:
        """Return the mail that templates make. Raises ``ValueError`` for a recipient that is no address."""
        made = EmailMessage()
        made["From"] = self._sender
        made["To"] = [mail_address(render_template(one, dict(row), dict(source))) for one in self.to]
        texts = {key: render_template(text, dict(row), dict(source)) for key, text in self._texts.items()}
        made["Subject"] = _one_line(texts["subject"])[:LONGEST_SUBJECT]
        made.set_content(_sendable(texts["body"]))
        if (html := self._texts.get("html")) is not None:
            # What a client has sent is text in a page, and no part of it.
            made.add_alternative(_sendable(filled(html, row, source, escape)), subtype="html")
        return made

    def idle(self) -> None:
        """Let the server go when there is nothing to send: it would end the connection by itself."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()

    def abort(self) -> None:
        """Break the connection, so that whoever waits for an answer gives up."""
        sock = getattr(self._smtp, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether the mail is at fault, and not the server, the password or the moment."""
        match error:
            case smtplib.SMTPAuthenticationError():
                return False
            case smtplib.SMTPRecipientsRefused():
                return all(code >= 500 for code, _ in error.recipients.values())
            case smtplib.SMTPResponseException():
                return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
        return isinstance(error, ValueError | MessageError | smtplib.SMTPNotSupportedError)

    def describe(self) -> str:
        """Who gets it, and by which server."""
        return f"{', '.join(self.to)} by {self._server}:{self._port}"

    def reason(self, error: BaseException) -> str:
        """What the server said, without secrets."""
        match error:
            case smtplib.SMTPRecipientsRefused():
                told = "; ".join(
                    f"{to}: {code} {_text(said)}" for to, (code, said) in error.recipients.items()
                )
                text = f"it refused {told}"
            case smtplib.SMTPResponseException():
                text = f"it answered {error.smtp_code} {_text(error.smtp_error)}"
            case _:
                text = super().reason(error)
        return redacted(text, self._login[1])


def fields_of(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a record for templates: none of a result, and those of the message."""
    source = {
        "topic": record.topic,
        "payload": record.payload,
        "clientid": record.client_id,
        "qos": record.qos,
        "retain": record.retain,
        "timestamp": round(record.time * 1000),
        "id": record.id,
        "event": record.kind,
        **(record.detail or {}),
    }
    return {}, source


def mail_address(text: str) -> Address:
    """Return an address of a mail. Raises ``ValueError`` for what is none, or more than one.

    >>> str(mail_address("Plant <plant@example.com>"))
    'Plant <plant@example.com>'
    >>> mail_address("a@example.com, b@example.com")
    Traceback (most recent call last):
        ...
    ValueError: 'a@example.com, b@example.com' is not one address of a mail
    """
    name, bracket, rest = text.replace(*_ENCODED).strip().rpartition("<")
    spec = rest.removesuffix(">") if bracket else rest
    try:
        made = Address(name.strip().strip('"'), addr_spec=spec.strip())
    except (ValueError, IndexError, HeaderParseError):
        made = Address()
    if not made.domain or not made.username or _CONTROL.search(text):
        raise ValueError(f"{text!r} is not one address of a mail")
    return made


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).replace(*_ENCODED).strip()


def _sendable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no encoding has."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(said: bytes | str) -> str:
    return " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())
