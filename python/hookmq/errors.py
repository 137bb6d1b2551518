"""Every error that HookMQ reports, in one table: a code, a sentence, a way out and an exit code.

``ERRORS`` is the catalogue. The command line, the documentation and the tests all read it, so a code has
one meaning everywhere. The first digit is the group:

====  ==============================================  =========
code  about                                           exit code
====  ==============================================  =========
E1xx  the network addresses the broker listens on     5
E2xx  the user's app cannot be imported               4
E3xx  the configuration                               3
E4xx  refused by a broker, or a broker out of reach   6 (E402: 1)
E5xx  use of the Python API                           1 (E511: 4)
E6xx  storage                                         1
E7xx  files of the command line, rules, accounts      1 (E710, E711: 3)
E8xx  homes of CrystalMQ and MQTTRoute                3 (E803: 4)
E9xx  bridges to other brokers                        3
====  ==============================================  =========

>>> error = HookMQError("E101", port=1883, what="mqtt")
>>> print(error)
error[E101]: port 1883 is already in use
  help: stop the other program, or use another port:   hookmq run --port 1884
>>> error.exit_code
5
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .records import Record

__all__ = ["ERRORS", "ErrorSpec", "HookMQError", "render"]

_RED, _CYAN, _RESET = "\x1b[1;31m", "\x1b[36m", "\x1b[0m"


class ErrorSpec(Record):
    """One line of the catalogue.

    ``text`` and ``help`` are templates: ``{port}`` stands for the field ``port`` of the error. A help whose
    fields are not all known is left out, so an error never advises half a command.

    >>> ERRORS["E504"].exit_code
    1
    """

    code: str
    text: str
    help: str | None
    exit_code: int


_CATALOGUE = (
    # E1xx: binding
    ErrorSpec(
        "E101",
        "port {port} is already in use",
        "stop the other program, or use another port:   hookmq run {flag} {next_port}",
        5,
    ),
    ErrorSpec(
        "E102",
        "cannot listen on {host}: {reason}",
        "use an address of this machine, or 127.0.0.1:   hookmq run --host 127.0.0.1",
        5,
    ),
    ErrorSpec(
        "E103",
        "not permitted to listen on port {port}",
        "ports below 1024 need a privilege; use a higher one:   hookmq run {flag} {higher_port}",
        5,
    ),
    # E2xx: importing the app
    ErrorSpec(
        "E201",
        "there is no module `{module}`",
        "run the command in the app's directory, or name its file:   hookmq run path/to/app.py",
        4,
    ),
    ErrorSpec("E202", "{where}  {exception}", "correct the app, or look closer:   python {app}", 4),
    ErrorSpec(
        "E203",
        "{app} has no Broker",
        "create one at the top level of the module:   broker = Broker()",
        4,
    ),
    ErrorSpec("E204", "{app} has several brokers: {names}", "name the one to run:   {command} {example}", 4),
    ErrorSpec("E205", "there is no file `{path}`", "name the app's file:   hookmq run path/to/app.py", 4),
    ErrorSpec("E206", "{where}  syntax error: {reason}", "the line is:   {source}", 4),
    # E3xx: configuration
    ErrorSpec("E301", "{where}  unknown key `{key}`", "did you mean `{suggestion}`?", 3),
    ErrorSpec(
        "E302",
        "{host} is open to other machines, and nobody has to authenticate",
        "add @broker.authenticate to the app, or let everyone in:   "
        "hookmq run --host {host} --allow-anonymous",
        3,
    ),
    ErrorSpec("E303", "{where}  `{key}` is {value}; expected {expected}", None, 3),
    ErrorSpec("E304", "{where}  {reason}", None, 3),
    ErrorSpec(
        "E305",
        "{where}  cannot be used: {reason}",
        "until it can be read, it lets nobody in; correct it, or name another file in the configuration",
        3,
    ),
    ErrorSpec("E306", "{where}  {what} needs `{key}`", "add `{key}` beside it", 3),
    # E4xx: another broker, or an authority, said no
    ErrorSpec(
        "E401",
        "the broker refused the connection: {reason}",
        "give a user name and a password it accepts:   -u NAME -P PASSWORD",
        6,
    ),
    ErrorSpec(
        "E402",
        "cannot reach the broker at {host}:{port}: {reason}",
        "is it running? To start one on this machine:   hookmq run",
        1,
    ),
    ErrorSpec("E403", "the broker refused a message to `{topic}`: {reason}", None, 6),
    ErrorSpec("E404", "the broker refused every subscription: {reason}", None, 6),
    ErrorSpec("E405", "the broker ended the connection: {reason}", None, 6),
    # E5xx: use of the Python API
    ErrorSpec("E501", "{where}  {function} does not fit {hook}: {problem}", None, 1),
    ErrorSpec("E502", "`{filter}` is not a topic filter: {problem}", None, 1),
    ErrorSpec(
        "E503",
        "the broker is not running",
        "start it first:   broker.start(), or `with Broker() as broker:`",
        1,
    ),
    ErrorSpec(
        "E504",
        "this process was forked from the one in which the broker runs",
        "create the broker in the child, or use multiprocessing's `spawn` method",
        1,
    ),
    ErrorSpec(
        "E505",
        "{what} is not possible while the broker is running",
        "do it before broker.start(), or stop the broker first:   broker.stop()",
        1,
    ),
    ErrorSpec("E506", "the message to `{topic}` was refused: {reason}", None, 1),
    ErrorSpec(
        "E507",
        "the history is switched off",
        "switch it on:   HOOKMQ__HISTORY__ENABLED=true",
        1,
    ),
    ErrorSpec(
        "E508",
        "there is no {what} `{name}`",
        "those there are:   {known}",
        1,
    ),
    ErrorSpec(
        "E510",
        "{where}  {hook} raised at the start: {problem}",
        "the broker does not start until this hook returns; the log has the traceback",
        1,
    ),
    ErrorSpec(
        "E511",
        "{path}  the app cannot be loaded again: {problem}",
        "the code that was loaded before runs on; mend the file and save it, or call broker.reload() again",
        4,
    ),
    # E6xx: storage
    ErrorSpec(
        "E601",
        "the history database {url} cannot be used: {reason}",
        "correct `history.url`, or run without a history:   HOOKMQ__HISTORY__ENABLED=false",
        1,
    ),
    ErrorSpec("E602", "the store {path} cannot be used: {reason}", None, 1),
    ErrorSpec("E603", "the connector `{name}` cannot be used: {reason}", None, 1),
    # E7xx: files and streams of the command line
    ErrorSpec("E701", "cannot read `{path}`: {reason}", None, 1),
    ErrorSpec(
        "E702",
        "no {what} is named",
        "set `{key}` in hookmq.toml, or name one:   {command}",
        1,
    ),
    ErrorSpec("E703", "cannot write `{path}`: {reason}", None, 1),
    ErrorSpec(
        "E704",
        "there is no terminal to ask for the password",
        "give it on standard input:   {command}",
        1,
    ),
    ErrorSpec("E705", "the password cannot be used: {reason}", None, 1),
    ErrorSpec("E706", "`{name}` cannot be added: {reason}", None, 1),
    ErrorSpec(
        "E707",
        "there is no user `{name}` in {path}",
        "the users there are:   hookmq users ls --file {path}",
        1,
    ),
    ErrorSpec(
        "E708", "`{path}` is there already", "choose another file, or replace this one with --replace", 1
    ),
    ErrorSpec("E709", "that cannot be asked: {reason}", None, 1),
    # E71x: rules
    ErrorSpec("E710", "{where}: {problem}", None, 3),
    ErrorSpec("E711", "{where}  the rule cannot be used: {reason}", None, 3),
    ErrorSpec("E712", "there is no rule `{name}`", "those there are:   {known}", 1),
    ErrorSpec("E713", "the rule `{name}` is not changed: {reason}", None, 1),
    # E72x: accounts and API tokens
    ErrorSpec("E721", "there is no account `{name}`", "those there are:   {known}", 1),
    ErrorSpec("E722", "the account `{name}` is not changed: {reason}", None, 1),
    ErrorSpec("E723", "there is no API token `{id}`", "those there are:   hookmq tokens list", 1),
    ErrorSpec(
        "E724",
        "{path} cannot be used: {reason}",
        "until it can be read nobody can log in; to begin anew:   "
        "hookmq accounts reset --data-dir {directory}",
        1,
    ),
    # E8xx: homes of CrystalMQ and MQTTRoute
    ErrorSpec(
        "E801",
        "{path} is not the home of a CrystalMQ or an MQTTRoute: {reason}",
        "name the folder that has bin, conf and extensions:   hookmq run --crystalmq HOME",
        3,
    ),
    ErrorSpec("E802", "{where}  the configuration cannot be used: {reason}", None, 3),
    ErrorSpec("E803", "{where}  the extension cannot be loaded: {exception}", None, 4),
    ErrorSpec("E804", "{where}  it does not start like this: {reason}", None, 3),
    # E9xx: bridges
    ErrorSpec("E901", "{where}  the bridge `{name}` cannot be used: {reason}", None, 3),
)

ERRORS: Mapping[str, ErrorSpec] = MappingProxyType({spec.code: spec for spec in _CATALOGUE})
"""The catalogue: code → :class:`ErrorSpec`, in the order of the codes."""


class HookMQError(Exception):
    """Base of everything HookMQ raises on purpose.

    ``code`` is a key of :data:`ERRORS`; the sentence and the help come from there, filled with ``fields``.
    ``message`` and ``help`` replace them (``help=""`` means: no help). Raises ``KeyError`` for a code that is
    not in the catalogue.

    >>> error = HookMQError("E303", where="hookmq.toml:2", key="port", value="'x'", expected="a port")
    >>> error.message
    "hookmq.toml:2  `port` is 'x'; expected a port"
    >>> error.help is None
    True
    """

    code: str
    message: str
    help: str | None
    exit_code: int
    fields: dict[str, object]

    def __init__(
        self, code: str, message: str | None = None, *, help: str | None = None, **fields: object
    ) -> None:
        spec = ERRORS[code]
        known = _with_derived(fields)
        self.code = code
        self.fields = fields
        self.exit_code = spec.exit_code
        self.message = _fill(spec.text, known) if message is None else message
        if help is None:
            self.help = _fill(spec.help, known) if spec.help and _all_known(spec.help, known) else None
        else:
            self.help = help or None
        super().__init__(self.message)

    def __str__(self) -> str:
        return render(self)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions travel between processes (multiprocessing, pytest-xdist); the default way would call
        # __init__ with the message in the place of the code.
        return (_restore, (type(self), self.code, self.message, self.help, self.exit_code, self.fields))


def render(error: HookMQError, *, colour: bool = False) -> str:
    """Return the error as the terminal shows it: a line ``error[code]: …`` and, if known, ``  help: …``.

    >>> print(render(HookMQError("E503")))
    error[E503]: the broker is not running
      help: start it first:   broker.start(), or `with Broker() as broker:`
    """
    head, label = f"error[{error.code}]", "help"
    if colour:
        head, label = f"{_RED}{head}{_RESET}", f"{_CYAN}{label}{_RESET}"
    text = f"{head}: {_indented(error.message)}"
    return f"{text}\n  {label}: {_indented(error.help)}" if error.help else text


def _indented(text: str) -> str:
    # Later lines of a long text line up below the first, so the next error is easy to see.
    return text.replace("\n", "\n        ")


def _with_derived(fields: Mapping[str, object]) -> dict[str, object]:
    """Add what a help needs and nobody should have to pass: the flag to use and the ports to try."""
    known = dict(fields)
    port = fields.get("port")
    if isinstance(port, int):
        known.setdefault("flag", "--http-port" if fields.get("what") == "http" else "--port")
        known.setdefault("next_port", port + 1 if port < 65535 else port - 1)
        known.setdefault("higher_port", 8080 if known["flag"] == "--http-port" else 1883)
    return known


def _all_known(template: str, fields: Mapping[str, object]) -> bool:
    import string

    names = (name for _, name, _, _ in string.Formatter().parse(template) if name)
    return all(fields.get(name) is not None for name in names)


class _Fields(dict[str, object]):
    # A field that was forgotten must not hide the error that is being reported.
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def _fill(template: str, fields: Mapping[str, object]) -> str:
    return template.format_map(_Fields(fields))


def _restore(
    kind: type[HookMQError],
    code: str,
    message: str,
    help: str | None,
    exit_code: int,
    fields: dict[str, object],
) -> HookMQError:
    error = kind(code, message, help=help or "", **fields)
    error.exit_code = exit_code
    return error
