"""An action of a rule: its options, and what it would do with a result."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..._hookmq import RuleError, check_template, render_template
from ...connectors.address import HIDDEN, masked
from ...errors import HookMQError
from ...records import Record
from ...settings.setting import Setting

__all__ = ["HIDDEN", "Action", "Option", "rendered"]


class Option(Record):
    """One option of a kind of action.

    ``type`` is one of a :class:`~hookmq.settings.setting.Setting`, or ``"templates"`` for a table of texts.
    In texts of an option with ``template`` fields stand as ``${…}``. What is ``secret`` is shown to nobody,
    of an ``address`` the host alone to those who are no admins.
    """

    key: str
    type: str
    help: str
    default: Any = None
    required: bool = False
    template: bool = False
    secret: bool = False
    address: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def read(self, given: Any, where: str) -> Any:
        """Return the value of what was written. Raises E303 if it does not fit, E710 for a wrong template."""
        if self.type == "templates":
            value: Any = _texts_by_name(self.key, given, where)
            texts = list(value.values())
        else:
            if self.type == "str" and given == "":
                return ""
            kind: Any = self.type
            setting = Setting(
                self.key,
                kind,
                None,
                self.help,
                minimum=self.minimum,
                maximum=self.maximum,
                choices=self.choices,
            )
            value = setting.read(given, where=where)
            texts = list(value) if isinstance(value, tuple) else [value]
        if self.template:
            for text in texts:
                _check(str(text), f"{where}, `{self.key}`")
        return value


class Action(abc.ABC):
    """What is done with each result of a rule. Options are checked when it is made.

    Args:
        options: as :meth:`Option.read` returned them, for all of :attr:`OPTIONS`.
        written: the table as it was written, without its ``kind``.
        where: for errors.
    """

    kind: ClassVar[str]
    """What it is called in a table."""

    what: ClassVar[str]
    """What it does, in a sentence."""

    OPTIONS: ClassVar[Sequence[Option]]
    """What it can be told."""

    def __init__(self, options: Mapping[str, Any], written: Mapping[str, Any], where: str) -> None:
        self.options = options
        self.written = dict(written)
        self.where = where
        self.check()

    def check(self) -> None:  # noqa: B027 - most have nothing more to check
        """Raise E303 or E711 for options that do not go together."""

    @property
    def templates(self) -> dict[str, str]:
        """Its texts with ``${…}``, by the names of their options."""
        found: dict[str, str] = {}
        for option in self.OPTIONS:
            value = self.options.get(option.key) if option.template else None
            if isinstance(value, str):
                found[option.key] = value
            elif isinstance(value, Mapping):
                found |= {f"{option.key}.{name}": text for name, text in value.items()}
            elif isinstance(value, tuple):
                found |= {f"{option.key}, {n}": text for n, text in enumerate(value, start=1)}
        return found

    @abc.abstractmethod
    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it would do with a result, by option: for people, without secrets."""

    @property
    @abc.abstractmethod
    def target(self) -> str:
        """Where results go, without secrets."""

    def table(self, *, secrets: bool = True, addresses: bool = True) -> dict[str, Any]:
        """Return it as a table, as it was written; without ``secrets`` or ``addresses`` these are hidden."""
        known = {option.key: option for option in self.OPTIONS}
        written: dict[str, Any] = {}
        for key, value in self.written.items():
            option = known.get(key)
            if option is not None and option.secret and not secrets:
                value = _hidden(value)
            elif option is not None and option.address and not addresses:
                value = masked(str(value))
            written[key] = value
        return {"kind": self.kind, **written}

    @property
    def hidden(self) -> str | None:
        """The option whose value is what stands for a hidden one, if one is so."""
        known = {option.key: option for option in self.OPTIONS}
        for key, value in self.written.items():
            option = known.get(key)
            if option is None:
                continue
            if option.secret and HIDDEN in (value.values() if isinstance(value, Mapping) else (value,)):
                return key
            if option.address and str(value).endswith(f"/{HIDDEN}"):
                return key
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Action) and self.table() == other.table() and self.options == other.options

    def __hash__(self) -> int:
        return hash((self.kind, repr(self.written)))

    def __repr__(self) -> str:
        return f"<{self.kind}: {self.target}>"


def rendered(template: str, row: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return a template with its fields filled in: those of the result, then those of the message."""
    return render_template(template, dict(row), dict(source))


def _check(template: str, where: str) -> None:
    from ..problem import wrong_sql

    try:
        check_template(template)
    except RuleError as error:
        raise wrong_sql(error, template, where) from None


def _texts_by_name(key: str, given: Any, where: str) -> dict[str, str]:
    if isinstance(given, Mapping) and all(
        isinstance(name, str) and name and isinstance(text, str) for name, text in given.items()
    ):
        return dict(given)
    expected = 'a table of texts, such as { name = "…" }'
    raise HookMQError("E303", where=where, key=key, value=repr(given), expected=expected)


def _hidden(value: Any) -> Any:
    return {name: HIDDEN for name in value} if isinstance(value, Mapping) else HIDDEN
