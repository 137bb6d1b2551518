"""The action that sends e-mails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...connectors.email import SECURITIES, Email
from ...connectors.record import Record
from ...errors import HookMQError
from .action import Option, rendered
from .delivery import RETRYING, Context, CourierAction, Delivery
from .result import Result

__all__ = ["Mail"]


class Mail(CourierAction):
    """Sends a mail for each result."""

    kind = "email"
    what = "sends an e-mail"
    OPTIONS = (
        Option("server", "str", "Host of the mail server.", required=True),
        Option("port", "int", "Its port: 587, with `tls` 465, with `none` 25.", minimum=1, maximum=65_535),
        Option("security", "str", "`starttls`, `tls` or `none`.", "starttls", choices=SECURITIES),
        Option("username", "str", "To log in."),
        Option("password", "str", "To log in.", secret=True),
        Option("from", "str", "Who it is from.", required=True),
        Option("to", "texts", "Who gets it.", required=True, template=True),
        Option("subject", "str", "Its subject.", "${topic}", template=True),
        Option("body", "str", "Its text; the result as JSON.", "${.}", template=True),
        Option("html", "str", "The same as HTML.", template=True),
        Option("ca", "file", "Certificates of the authorities that are trusted, PEM."),
        Option("timeout", "duration", "Time for a connection, and for each answer.", 10.0, minimum=0.1),
        *RETRYING,
    )

    def check(self) -> None:
        """Refuse what no mail can be made of."""
        try:
            self._email("mail")
        except ValueError as error:
            raise HookMQError("E711", where=self.where, reason=str(error)) from None

    @property
    def target(self) -> str:
        """Who gets it, and by which server."""
        return self._email("mail").describe()

    def delivery(self, name: str, context: Context) -> Delivery:
        """What sends mails."""
        return _Mails(name, self, self._email(name))

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """The mail that would be sent."""
        message = self._email("mail").message(row, source)
        shown = {"to": str(message["To"]), "subject": str(message["Subject"])}
        return shown | {"body": rendered(self.options["body"], row, source)}

    def _email(self, name: str) -> Email:
        options = self.options
        same = ("to", "subject", "body", "html", "port", "security", "username", "password", "ca", "timeout")
        chosen: dict[str, Any] = {key: options[key] for key in same}
        return Email(options["server"], sender=options["from"], name=name, **chosen)


class _Mails(Delivery):
    kind = "email"

    def __init__(self, name: str, action: Mail, email: Email) -> None:
        super().__init__(name, action.patience)
        self._email = email

    def open(self) -> None:
        self._email.open()

    def deliver(self, result: Result, record: Record) -> None:
        self._email.send(record, *result)

    def idle(self) -> None:
        self._email.idle()

    def abort(self) -> None:
        self._email.abort()

    def close(self) -> None:
        self._email.close()

    def is_rejection(self, error: Exception) -> bool:
        return self._email.is_rejection(error)

    def describe(self) -> str:
        return self._email.describe()

    def reason(self, error: BaseException) -> str:
        return self._email.reason(error)
