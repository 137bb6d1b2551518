"""The letters of pub and sub: how they are read, and what is refused."""

from __future__ import annotations

import os
import re

import pytest

from hookmq.cli.mosquitto_options import NEVER_EXPIRES, check_filter, check_topic, parse
from hookmq.cli.mqtt_properties import COMMANDS, PROPERTIES, to_paho
from hookmq.cli.publish import _OPTIONS as PUB
from hookmq.cli.publish import PublishOptions
from hookmq.cli.subscribe import _OPTIONS as SUB
from hookmq.cli.subscribe import SubscribeOptions
from hookmq.cli.usage import UsageError


def pub(*words: str, environ: dict[str, str] | None = None) -> PublishOptions:
    options = PublishOptions()
    parse(options, PUB, words, environ or {})
    return options


def sub(*words: str, environ: dict[str, str] | None = None) -> SubscribeOptions:
    options = SubscribeOptions()
    parse(options, SUB, words, environ or {})
    return options


def test_defaults() -> None:
    options = sub("-t", "a")
    assert (options.host, options.port, options.qos, options.version) == ("localhost", 1883, 0, "311")
    assert (options.keepalive, options.client_id, options.tls) == (60, None, False)


def test_the_word_after_an_option_is_its_value_whatever_it_looks_like() -> None:
    assert pub("-t", "a", "-m", "-h").content == "-h"
    assert pub("-t", "a", "-m", "--help").content == "--help"
    assert pub("-t", "a", "-m", "").content == ""
    assert pub("-m", "-5", "-t", "-t").topic == "-t"


def test_long_and_short_names_mean_the_same() -> None:
    short = sub("-h", "x", "-p", "5", "-t", "a", "-q", "1", "-i", "me", "-u", "n", "-P", "w", "-k", "9", "-c")
    long = sub(
        "--host", "x", "--port", "5", "--topic", "a", "--qos", "1", "--id", "me", "--username", "n",
        "--pw", "w", "--keepalive", "9", "--disable-clean-session",
    )  # fmt: skip
    assert short == long


@pytest.mark.parametrize(
    ("word", "version"),
    [("31", "31"), ("mqttv31", "31"), ("311", "311"), ("mqttv311", "311"), ("5", "5"), ("mqttv5", "5")],
)
def test_versions(word: str, version: str) -> None:
    assert pub("-t", "a", "-n", "-V", word).version == version


def test_the_environment_is_weaker_than_a_flag() -> None:
    environ = {"HOOKMQ_HOST": "broker", "HOOKMQ_PORT": "1884"}
    options = sub("-t", "a", environ=environ)
    assert (options.host, options.port) == ("broker", 1884)
    options = sub("-t", "a", "-h", "other", "-p", "5", environ=environ)
    assert (options.host, options.port) == ("other", 5)


@pytest.mark.parametrize(("listen", "connect"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("x", "x")])
def test_an_address_to_listen_on_becomes_one_to_connect_to(listen: str, connect: str) -> None:
    assert sub("-t", "a", environ={"HOOKMQ_HOST": listen}).host == connect


def test_tls_has_its_own_port() -> None:
    assert sub("-t", "a", "--cafile", "ca.pem").port == 8883
    assert sub("-t", "a", "--tls-use-os-certs").port == 8883
    assert sub("-t", "a", "--cafile", "ca.pem", "-p", "5").port == 5


def test_url() -> None:
    options = sub("-L", "mqtt://me:p%40ss@broker:1884/a/+/#")
    assert (options.host, options.port, options.topics) == ("broker", 1884, ["a/+/#"])
    assert (options.username, options.password, options.tls) == ("me", "p@ss", False)
    options = sub("-L", "mqtts://broker/a")
    assert (options.port, options.tls) == (8883, True)


def test_client_identifiers() -> None:
    assert sub("-t", "a", "-I", "me-").client_id == f"me-{os.getpid()}"
    assert sub("-t", "a", "-i", "me").client_id == "me"


def test_session_expiry() -> None:
    assert sub("-t", "a", "-V", "5", "-i", "me", "-c").session_expiry == NEVER_EXPIRES
    assert sub("-t", "a", "-V", "5", "-i", "me", "-c", "-x", "60").session_expiry == 60
    for word in ("-1", "∞", "4294967295"):
        assert sub("-t", "a", "-V", "5", "-i", "me", "-x", word).session_expiry == NEVER_EXPIRES


def test_a_property_makes_the_client_speak_mqtt_5() -> None:
    options = pub("-t", "a", "-n", "-D", "PUBLISH", "message-expiry-interval", "60", "-r")
    assert (options.version, options.retain) == ("5", True)
    properties = to_paho(options.properties, "publish")
    assert properties is not None
    assert properties.MessageExpiryInterval == 60
    assert to_paho(options.properties, "connect") is None


def test_user_properties_add_up() -> None:
    words = [word for value in "vw" for word in ("-D", "publish", "user-property", "k", value)]
    options = pub("-t", "a", "-n", *words)
    properties = to_paho(options.properties, "publish")
    assert properties is not None
    assert properties.UserProperty == [("k", "v"), ("k", "w")]


@pytest.mark.parametrize("prop", PROPERTIES, ids=[prop.name for prop in PROPERTIES])
def test_paho_knows_every_property(prop: object) -> None:
    words = {"integer": ["1"], "binary": ["x"], "text": ["x"], "pair": ["k", "v"]}
    for command in COMMANDS:
        if command in prop.commands:  # type: ignore[attr-defined]
            given = ["-D", command, prop.name, *words[prop.type]]  # type: ignore[attr-defined]
            properties = to_paho(pub("-t", "a", "-n", *given).properties, command)
            assert properties is not None
            assert properties.pack()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-t", "a"], "a message is needed"),
        (["-m", "x"], "a topic is needed"),
        (["-t", "a", "-m"], "-m needs a value: -m TEXT"),
        (["-t", "a", "-m", "x", "-n"], "-n: only one kind of message can be sent at once"),
        (["-t", "a", "-n", "extra"], "unknown option extra"),
        (["-t", "a", "-n", "-zz"], "unknown option -zz"),
        (["-t", "a", "-n", "-p1883"], "unknown option -p1883"),
        (["-t", "a", "-n", "-p", "0"], "-p 0: expected a whole number, from 1 to 65535"),
        (["-t", "a", "-n", "-p", "x"], "-p x: expected a whole number"),
        (["-t", "a", "-n", "-q", "3"], "-q 3: expected a whole number, from 0 to 2"),
        (["-t", "a", "-n", "-V", "4"], "-V 4: expected mqttv31, mqttv311 or mqttv5"),
        (["-t", "a", "-n", "-h", ""], "-h needs a host name"),
        (["-t", "a/+", "-n"], "without + and #"),
        (["-t", "", "-n"], "at least one character"),
        (["-t", "a", "-n", "-i", "x", "-I", "y"], "-i and -I cannot be used together"),
        (["-t", "a", "-n", "-c"], "-c needs a client identifier"),
        (["-t", "a", "-n", "-V", "5", "-x", "-1"], "never expires needs a client identifier"),
        (["-t", "a", "-n", "-P", "x"], "-P needs a user name before MQTT 5"),
        (["-t", "a", "-n", "--cert", "x"], "--cert and --key are used together"),
        (["-t", "a", "-n", "--will-payload", "x"], "a will needs a topic"),
        (["-t", "a", "-n", "--will-topic", "a/#"], "--will-topic 'a/#'"),
        (["-t", "a", "-n", "--repeat", "0"], "--repeat 0: expected a whole number, at least 1"),
        (["-t", "a", "-n", "--repeat-delay", "nan"], "--repeat-delay nan: expected a number, at least 0"),
        (["-t", "a", "-n", "-L", "http://x/y"], "expected mqtt(s)://"),
        (["-t", "a", "-n", "-L", "mqtt://x"], "expected mqtt(s)://"),
        (["-t", "a", "-n", "-L", "mqtt://x:port/y"], "this is not a URL"),
        (["-t", "a", "-n", "-D", "publish"], "-D needs a command, a property and its value"),
        (["-t", "a", "-n", "-D", "puback", "user-property", "a"], "the command is one of connect, publish"),
        (["-t", "a", "-n", "-D", "publish", "nosuch", "5"], "there is no such property"),
        (["-t", "a", "-n", "-D", "connect", "topic-alias", "5"], "connect does not have this property"),
        (["-t", "a", "-n", "-D", "publish", "topic-alias", "x"], "a whole number from 0 to 65535"),
        (["-t", "a", "-n", "-D", "publish", "user-property", "k"], "needs a name and a value"),
    ],
)
def test_what_pub_refuses(words: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        pub(*words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "a topic filter is needed"),
        (["-t", "a/#/b"], "# is the last level"),
        (["-t", "a+/b"], "+ stands for a whole level"),
        (["-t", "a#"], "# stands for a whole level"),
        (["-t", "a", "-T", "#/a"], "-T '#/a'"),
        (["-U", "a+"], "-U 'a+'"),
        (["-t", "a", "-C", "0"], "-C 0: expected a whole number, at least 1"),
        (["-t", "a", "-W", "0"], "-W 0: expected more than no time"),
        (["-t", "a", "-R", "--retained-only"], "nothing to print"),
        (["-t", "a", "--retain-handling", "3"], "expected always, new or never"),
    ],
)
def test_what_sub_refuses(words: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        sub(*words)


def test_a_port_of_the_environment_that_is_none() -> None:
    with pytest.raises(UsageError, match="HOOKMQ_PORT=0: expected a port number from 1 to 65535"):
        sub("-t", "a", environ={"HOOKMQ_PORT": "0"})


@pytest.mark.parametrize("topic", ["a", "/", "a/b", "$SYS/x", " ", "é", "a//b"])
def test_topics(topic: str) -> None:
    check_topic(topic)
    check_filter(topic)


@pytest.mark.parametrize("topic_filter", ["#", "+", "a/+/b", "+/+", "/#", "a/#", "$share/g/a/+"])
def test_filters(topic_filter: str) -> None:
    check_filter(topic_filter)
    with pytest.raises(UsageError):
        check_topic(topic_filter)


@pytest.mark.parametrize("text", ["", "a\0b", "a" * 65536, "\udcff"])
def test_neither_a_topic_nor_a_filter(text: str) -> None:
    for check in (check_topic, check_filter):
        with pytest.raises(UsageError):
            check(text)
