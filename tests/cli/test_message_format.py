"""What `hookmq sub` prints for a message; the expected bytes are mosquitto_sub 2.0's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from hookmq.cli.message_format import PayloadIsNotJSON, ReceivedMessage, compile_format, plain, verbose
from hookmq.cli.usage import UsageError

MESSAGE = ReceivedMessage(
    "z/t",
    "hé!".encode(),
    qos=1,
    packet_id=7,
    time_ns=1_795_378_513_025_594_650,
    properties={
        "content-type": ["text/x"],
        "correlation-data": [b"abc"],
        "message-expiry-interval": [60],
        "payload-format-indicator": [1],
        "response-topic": ["r/t"],
        "user-property": [("a", "b"), ("c", "d")],
    },
)
BARE = ReceivedMessage("z/t", b"", retain=True, time_ns=MESSAGE.time_ns)


@pytest.fixture(autouse=True)
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def show(template: str, message: ReceivedMessage = MESSAGE, *, pretty: bool = False) -> str:
    return compile_format(template, newline=False, pretty=pretty)(message).decode()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("%t %p", "z/t hé!"),
        ("%q %r %l %m", "1 0 4 7"),
        ("%x %X", "68c3a921 68C3A921"),
        ("%A|%C|%D|%E|%F|%P|%R|%S|", "|text/x|abc|60|1|a:b c:d|r/t||"),
        ("%%|@@|\\\\", "%|@|\\"),
        ("\\n\\t\\r\\v\\a\\e\\0", "\n\t\r\v\a\x1b\0"),
        ("%I", "2026-11-23T05:15:13+0900"),
        ("%U", "1795378513.025594650"),
        ("@Y-@m-@d @H:@M:@S.@N", "2026-11-23 05:15:13.025594650"),
        ("é%té", "éz/té"),
        # widths
        ("%10t|%-10t|%010t|", "       z/t|z/t       |       z/t|"),
        ("%.2t|%5.2t|%-5.2t|", "z/|   z/|z/   |"),
        ("%5l|%05l|%-5l|%-05l|", "    4|00004|4    |4    |"),
        ("%3m|%03m|%5q|%5r|", "  7|007|1|0|"),
        ("%5E|%05E|%-5E|%05A|%5A|", "   60|00060|60   |00000|     |"),
        ("%8C|%-8C|%.4C|%8.2R|", "  text/x|text/x  |text|      r/|"),
        ("%6p|%-6p|%06p|%1p|", "  hé!|hé!  |00hé!|h|"),
        ("%4x|%5x|%05x|%-9x|%1x|", "68c3| 68c3|068c3|68c3a921 | |"),
        ("%5%|%5D|%5P", "%|abc|a:b c:d"),
        ("%30.10I|", "                    2026-11-23|"),
    ],
)
def test_sequences(template: str, text: str) -> None:
    assert show(template) == text


def test_a_message_without_payload_and_properties() -> None:
    assert show("%t|%p|%x|%l|%m|%r|%C|%D|%E|%P|", BARE) == "z/t|||0|0|1|||||"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("%z", "there is no %z"),
        ("%", "a % at the end"),
        ("%-05", "a % at the end"),
        ("a@", "an @ at the end"),
        ("a\\", "there is no \\"),
        ("\\q", "there is no \\q"),
        ("%100000t", "a width of more than 10000"),
    ],
)
def test_formats_that_are_wrong(template: str, problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        compile_format(template, newline=True)


def test_json() -> None:
    assert show("%j") == (
        '{"tst":"2026-11-23T05:15:13.025594Z+0900","topic":"z/t","qos":1,"retain":0,"payloadlen":4,"mid":7,'
        '"properties":{"content-type":"text/x","correlation-data":"abc","message-expiry-interval":60,'
        '"payload-format-indicator":1,"response-topic":"r/t","user-properties":{"a":"b","c":"d"}},'
        '"payload":"hé!"}'
    )


def test_json_of_an_empty_payload_is_null() -> None:
    end = '"topic":"z/t","qos":0,"retain":1,"payloadlen":0,"payload":null}'
    assert show("%j", BARE).endswith(end)
    assert show("%J", BARE).endswith(end)


def test_json_escapes() -> None:
    message = ReceivedMessage("a", b'"\\/\b\n\x01\0')
    assert '"payload":"\\"\\\\/\\b\\n\\u0001\\u0000"' in show("%j", message)


def test_json_of_bytes_that_are_not_text_keeps_them() -> None:
    line = compile_format("%j", newline=False)(ReceivedMessage("a", b"\xff\xfe"))
    assert b'"payload":"\xff\xfe"' in line


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ('{"b":  [1, 2.50, "é", 1e2, 1e20, 0.1], "a": {"x": null, "y": true, "c": []}}',
         '{"b":[1,2.5,"é",100,1e+20,0.1],"a":{"x":null,"y":true,"c":[]}}'),
        ("27.0", "27"),
        ('"text"', '"text"'),
        ("12345678901234567890", "12345678901234567890"),
    ],
)  # fmt: skip
def test_a_json_payload_is_embedded(payload: str, text: str) -> None:
    assert show("%J", ReceivedMessage("a", payload.encode())).endswith(f'"payload":{text}}}')


@pytest.mark.parametrize("payload", [b"hello", b"{", b"NaN", b"\xff", b"[" * 100_000, b"{}x"])
def test_a_payload_that_is_not_json(payload: bytes) -> None:
    with pytest.raises(PayloadIsNotJSON):
        show("%J", ReceivedMessage("a", payload))


def test_pretty_json() -> None:
    assert show("%J", ReceivedMessage("a", b'{"x":1}', time_ns=MESSAGE.time_ns), pretty=True) == (
        '{\n\t"tst":\t"2026-11-23T05:15:13.025594Z+0900",\n\t"topic":\t"a",\n\t"qos":\t0,\n\t"retain":\t0,\n'
        '\t"payloadlen":\t7,\n\t"payload":\t{\n\t\t"x":\t1\n\t}\n}'
    )


def test_plain_and_verbose() -> None:
    assert plain(MESSAGE, newline=True) == "hé!\n".encode()
    assert plain(MESSAGE, newline=False) == "hé!".encode()
    assert plain(BARE, newline=True) == b""
    assert verbose(MESSAGE, newline=True) == "z/t hé!\n".encode()
    assert verbose(MESSAGE, newline=False) == "z/t hé!".encode()
    assert verbose(BARE, newline=True) == b"z/t (null)\n"
    assert verbose(BARE, newline=False) == b""
