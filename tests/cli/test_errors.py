"""The catalogue of errors: one code, one meaning, one exit code."""

from __future__ import annotations

import pickle
import re
import string

import pytest

from hookmq.errors import ERRORS, ErrorSpec, HookMQError, render

EXIT_CODES = {"1": 5, "2": 4, "3": 3, "4": 6, "5": 1, "6": 1, "7": 1, "8": 3, "9": 3}
# A broker out of reach has refused nothing; an app, or an extension, that cannot be loaded is one.
# Rules that are written wrongly are a configuration that is.
EXCEPTIONS = {"E402": 1, "E511": 4, "E710": 3, "E711": 3, "E803": 4}

# For every code, fields as the callers pass them, and the whole text.
EXAMPLES: dict[str, tuple[dict[str, object], str]] = {
    "E101": (
        {"port": 1883, "what": "mqtt"},
        "error[E101]: port 1883 is already in use\n"
        "  help: stop the other program, or use another port:   hookmq run --port 1884",
    ),
    "E102": (
        {"host": "10.9.9.9", "reason": "cannot assign requested address"},
        "error[E102]: cannot listen on 10.9.9.9: cannot assign requested address\n"
        "  help: use an address of this machine, or 127.0.0.1:   hookmq run --host 127.0.0.1",
    ),
    "E103": (
        {"port": 80, "what": "http"},
        "error[E103]: not permitted to listen on port 80\n"
        "  help: ports below 1024 need a privilege; use a higher one:   hookmq run --http-port 8080",
    ),
    "E201": (
        {"module": "shop.hub"},
        "error[E201]: there is no module `shop.hub`\n"
        "  help: run the command in the app's directory, or name its file:   hookmq run path/to/app.py",
    ),
    "E202": (
        {"where": "app.py:7", "exception": "NameError: name 'x' is not defined", "app": "app.py"},
        "error[E202]: app.py:7  NameError: name 'x' is not defined\n"
        "  help: correct the app, or look closer:   python app.py",
    ),
    "E203": (
        {"app": "app.py"},
        "error[E203]: app.py has no Broker\n"
        "  help: create one at the top level of the module:   broker = Broker()",
    ),
    "E204": (
        {"app": "app.py", "names": "a, b", "command": "hookmq run", "example": "app.py:a"},
        "error[E204]: app.py has several brokers: a, b\n  help: name the one to run:   hookmq run app.py:a",
    ),
    "E205": (
        {"path": "ap.py"},
        "error[E205]: there is no file `ap.py`\n  help: name the app's file:   hookmq run path/to/app.py",
    ),
    "E206": (
        {"where": "app.py:3", "reason": "'(' was never closed", "source": "broker.run("},
        "error[E206]: app.py:3  syntax error: '(' was never closed\n  help: the line is:   broker.run(",
    ),
    "E301": (
        {
            "where": "hookmq.toml:12",
            "key": "limits.max_pakcet_size",
            "suggestion": "limits.max_packet_size",
        },
        "error[E301]: hookmq.toml:12  unknown key `limits.max_pakcet_size`\n"
        "  help: did you mean `limits.max_packet_size`?",
    ),
    "E302": (
        {"host": "0.0.0.0"},
        "error[E302]: 0.0.0.0 is open to other machines, and nobody has to authenticate\n"
        "  help: add @broker.authenticate to the app, or let everyone in:   "
        "hookmq run --host 0.0.0.0 --allow-anonymous",
    ),
    "E303": (
        {"where": "environment HOOKMQ_PORT", "key": "port", "value": "'abc'", "expected": "a port number"},
        "error[E303]: environment HOOKMQ_PORT  `port` is 'abc'; expected a port number",
    ),
    "E304": (
        {"where": "hookmq.toml:3", "reason": "not TOML: invalid value"},
        "error[E304]: hookmq.toml:3  not TOML: invalid value",
    ),
    "E305": (
        {"where": "users:3", "reason": "there is no ':' between a name and a password hash"},
        "error[E305]: users:3  cannot be used: there is no ':' between a name and a password hash\n"
        "  help: until it can be read, it lets nobody in; correct it, "
        "or name another file in the configuration",
    ),
    "E306": (
        {"where": "hookmq.toml:4", "what": "mqtts://", "key": "tls.cert"},
        "error[E306]: hookmq.toml:4  mqtts:// needs `tls.cert`\n  help: add `tls.cert` beside it",
    ),
    "E401": (
        {"reason": "not authorized"},
        "error[E401]: the broker refused the connection: not authorized\n"
        "  help: give a user name and a password it accepts:   -u NAME -P PASSWORD",
    ),
    "E402": (
        {"host": "localhost", "port": 1883, "reason": "connection refused"},
        "error[E402]: cannot reach the broker at localhost:1883: connection refused\n"
        "  help: is it running? To start one on this machine:   hookmq run",
    ),
    "E403": (
        {"topic": "a/b", "reason": "not authorized"},
        "error[E403]: the broker refused a message to `a/b`: not authorized",
    ),
    "E404": (
        {"reason": "not authorized"},
        "error[E404]: the broker refused every subscription: not authorized",
    ),
    "E405": (
        {"reason": "session taken over"},
        "error[E405]: the broker ended the connection: session taken over",
    ),
    "E501": (
        {"where": "app.py:9", "function": "watch", "hook": "on_message_received", "problem": "no argument"},
        "error[E501]: app.py:9  watch does not fit on_message_received: no argument",
    ),
    "E502": (
        {"filter": "a/#/b", "problem": "# is the last level"},
        "error[E502]: `a/#/b` is not a topic filter: # is the last level",
    ),
    "E503": (
        {},
        "error[E503]: the broker is not running\n"
        "  help: start it first:   broker.start(), or `with Broker() as broker:`",
    ),
    "E504": (
        {},
        "error[E504]: this process was forked from the one in which the broker runs\n"
        "  help: create the broker in the child, or use multiprocessing's `spawn` method",
    ),
    "E505": (
        {"what": "registering a hook"},
        "error[E505]: registering a hook is not possible while the broker is running\n"
        "  help: do it before broker.start(), or stop the broker first:   broker.stop()",
    ),
    "E506": (
        {"topic": "a/b", "reason": "the queue of a subscriber is full"},
        "error[E506]: the message to `a/b` was refused: the queue of a subscriber is full",
    ),
    "E507": (
        {},
        "error[E507]: the history is switched off\n  help: switch it on:   HOOKMQ__HISTORY__ENABLED=true",
    ),
    "E508": (
        {"what": "hook", "name": "watsch", "known": "admit, watch"},
        "error[E508]: there is no hook `watsch`\n  help: those there are:   admit, watch",
    ),
    "E510": (
        {"hook": "announce", "where": "app.py:7", "problem": "the lamp is broken"},
        "error[E510]: app.py:7  announce raised at the start: the lamp is broken\n"
        "  help: the broker does not start until this hook returns; the log has the traceback",
    ),
    "E511": (
        {"path": "app.py:7", "problem": "NameError: name 'x' is not defined"},
        "error[E511]: app.py:7  the app cannot be loaded again: NameError: name 'x' is not defined\n"
        "  help: the code that was loaded before runs on; mend the file and save it, or call "
        "broker.reload() again",
    ),
    "E601": (
        {"url": "postgresql://db/x", "reason": "connection refused"},
        "error[E601]: the history database postgresql://db/x cannot be used: connection refused\n"
        "  help: correct `history.url`, or run without a history:   HOOKMQ__HISTORY__ENABLED=false",
    ),
    "E602": (
        {"path": "data/store", "reason": "another process uses it"},
        "error[E602]: the store data/store cannot be used: another process uses it",
    ),
    "E603": (
        {"name": "storage", "reason": "the module `psycopg` is not installed"},
        "error[E603]: the connector `storage` cannot be used: the module `psycopg` is not installed",
    ),
    "E701": (
        {"path": "m.bin", "reason": "no such file or directory"},
        "error[E701]: cannot read `m.bin`: no such file or directory",
    ),
    "E702": (
        {"what": "users file", "key": "access.users_file", "command": "hookmq users ls --file FILE"},
        "error[E702]: no users file is named\n"
        "  help: set `access.users_file` in hookmq.toml, or name one:   hookmq users ls --file FILE",
    ),
    "E703": (
        {"path": "users", "reason": "permission denied"},
        "error[E703]: cannot write `users`: permission denied",
    ),
    "E704": (
        {"command": "hookmq users add pump --password-stdin"},
        "error[E704]: there is no terminal to ask for the password\n"
        "  help: give it on standard input:   hookmq users add pump --password-stdin",
    ),
    "E705": (
        {"reason": "it is empty"},
        "error[E705]: the password cannot be used: it is empty",
    ),
    "E706": (
        {"name": "a:b", "reason": "the name contains a colon"},
        "error[E706]: `a:b` cannot be added: the name contains a colon",
    ),
    "E707": (
        {"name": "pump", "path": "users"},
        "error[E707]: there is no user `pump` in users\n"
        "  help: the users there are:   hookmq users ls --file users",
    ),
    "E708": (
        {"path": "acl"},
        "error[E708]: `acl` is there already\n"
        "  help: choose another file, or replace this one with --replace",
    ),
    "E709": (
        {"reason": "the topic has a wildcard"},
        "error[E709]: that cannot be asked: the topic has a wildcard",
    ),
    "E710": (
        {
            "where": "rules/hot.sql, line 2, column 8",
            "problem": "there is no function `averge`",
        },
        "error[E710]: rules/hot.sql, line 2, column 8: there is no function `averge`",
    ),
    "E711": (
        {"where": "hookmq.toml:3, rule 2", "reason": "there is a rule `hot` already, from app.py:7"},
        "error[E711]: hookmq.toml:3, rule 2  the rule cannot be used: "
        "there is a rule `hot` already, from app.py:7",
    ),
    "E712": (
        {"name": "hto", "known": "cold, hot"},
        "error[E712]: there is no rule `hto`\n  help: those there are:   cold, hot",
    ),
    "E713": (
        {"name": "hot", "reason": "it comes from rules/hot.sql: change it there"},
        "error[E713]: the rule `hot` is not changed: it comes from rules/hot.sql: change it there",
    ),
    "E721": (
        {"name": "ana", "known": "anna, bob"},
        "error[E721]: there is no account `ana`\n  help: those there are:   anna, bob",
    ),
    "E722": (
        {"name": "anna", "reason": "it is the last admin's"},
        "error[E722]: the account `anna` is not changed: it is the last admin's",
    ),
    "E723": (
        {"id": "1f3a"},
        "error[E723]: there is no API token `1f3a`\n  help: those there are:   hookmq tokens list",
    ),
    "E724": (
        {"path": "data/accounts.json", "reason": "account 1 is not an object", "directory": "data"},
        "error[E724]: data/accounts.json cannot be used: account 1 is not an object\n"
        "  help: until it can be read nobody can log in; to begin anew:   "
        "hookmq accounts reset --data-dir data",
    ),
    "E801": (
        {"path": "/opt/CrystalMQ", "reason": "it has no conf"},
        "error[E801]: /opt/CrystalMQ is not the home of a CrystalMQ or an MQTTRoute: it has no conf\n"
        "  help: name the folder that has bin, conf and extensions:   hookmq run --crystalmq HOME",
    ),
    "E802": (
        {"where": "conf/mqtt.conf:3", "reason": "`PORT_NO` is 'x'; expected a port"},
        "error[E802]: conf/mqtt.conf:3  the configuration cannot be used: `PORT_NO` is 'x'; expected a port",
    ),
    "E803": (
        {"where": "extensions/custom_store.py:3", "exception": "ModuleNotFoundError: No module named 'x'"},
        "error[E803]: extensions/custom_store.py:3  the extension cannot be loaded: ModuleNotFoundError: "
        "No module named 'x'",
    ),
    "E804": (
        {"where": "conf/broker.conf:9", "reason": "the web login has its default password"},
        "error[E804]: conf/broker.conf:9  it does not start like this: the web login has its default "
        "password",
    ),
    "E901": (
        {"where": "hookmq.toml:3, bridge 1", "name": "plant", "reason": "another bridge has this name"},
        "error[E901]: hookmq.toml:3, bridge 1  the bridge `plant` cannot be used: another bridge has this "
        "name",
    ),
}


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_is_rendered(code: str) -> None:
    fields, text = EXAMPLES[code]
    error = HookMQError(code, **fields)
    assert str(error) == render(error) == text
    assert error.code == code
    assert error.exit_code == ERRORS[code].exit_code


def test_every_code_has_an_example_and_every_example_a_code() -> None:
    assert list(EXAMPLES) == list(ERRORS)


@pytest.mark.parametrize("spec", ERRORS.values(), ids=ERRORS)
def test_the_group_decides_the_exit_code(spec: ErrorSpec) -> None:
    assert re.fullmatch(r"E[1-9]\d\d", spec.code)
    assert spec.exit_code == EXCEPTIONS.get(spec.code, EXIT_CODES[spec.code[1]])


@pytest.mark.parametrize("spec", ERRORS.values(), ids=ERRORS)
def test_texts_are_sentences_without_an_end(spec: ErrorSpec) -> None:
    for text in filter(None, (spec.text, spec.help)):
        assert text == text.strip()
        assert not text.endswith(".")
        assert "\n" not in text


def test_codes_are_in_order_and_the_table_cannot_be_changed() -> None:
    assert list(ERRORS) == sorted(ERRORS)
    assert all(code == spec.code for code, spec in ERRORS.items())
    with pytest.raises(TypeError):
        ERRORS["E999"] = ERRORS["E101"]  # type: ignore[index]


def test_two_codes_never_say_the_same() -> None:
    texts = [spec.text for spec in ERRORS.values()]
    assert len(set(texts)) == len(texts)


def test_an_unknown_code_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(KeyError):
        HookMQError("E999")


def test_the_flag_and_the_next_port_follow_from_the_port() -> None:
    assert "hookmq run --http-port 8081" in str(HookMQError("E101", port=8080, what="http"))
    assert "hookmq run --port 65534" in str(HookMQError("E101", port=65535, what="mqtt"))
    assert "hookmq run --listen 1884" in str(HookMQError("E101", port=1883, what="mqtt", flag="--listen"))


def test_a_help_that_would_be_incomplete_is_left_out() -> None:
    assert HookMQError("E301", where="x", key="y", suggestion=None).help is None
    assert HookMQError("E301", where="x", key="y").help is None


def test_a_field_that_was_forgotten_does_not_hide_the_error() -> None:
    assert (
        str(HookMQError("E303", where="x", key="y")) == "error[E303]: x  `y` is <value>; expected <expected>"
    )


def test_message_and_help_can_be_replaced() -> None:
    error = HookMQError("E203", "there is {nothing} here", help="look elsewhere")
    assert str(error) == "error[E203]: there is {nothing} here\n  help: look elsewhere"
    assert HookMQError("E503", help="").help is None


def test_braces_in_a_field_are_text() -> None:
    assert "`a/{b}/c`" in HookMQError("E502", filter="a/{b}/c", problem="{}").message


def test_colour_marks_the_code_and_the_help() -> None:
    error = HookMQError("E503")
    coloured = render(error, colour=True)
    assert coloured.startswith("\x1b[1;31merror[E503]\x1b[0m: ")
    assert "\x1b[36mhelp\x1b[0m: " in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render(error)


def test_later_lines_are_indented() -> None:
    assert render(HookMQError("E203", "one\ntwo", help="")) == "error[E203]: one\n        two"


def test_an_error_survives_pickling() -> None:
    error = HookMQError("E101", port=1883, what="mqtt")
    error.exit_code = 4
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code, copy.exit_code, copy.fields) == (
        str(error),
        "E101",
        4,
        {"port": 1883, "what": "mqtt"},
    )


def test_every_field_of_a_text_is_passed_in_its_example() -> None:
    for code, (fields, _) in EXAMPLES.items():
        names = {name for _, name, _, _ in string.Formatter().parse(ERRORS[code].text) if name}
        assert names <= set(fields), code
