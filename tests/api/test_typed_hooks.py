"""Payloads and topic levels as what a function's annotations say, from the wire to the function and back."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import json
import logging
import os
import uuid
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from hookmq import Change, HookMQError, Message

from ..protocol.packets import V311, Puback, Pubcomp, Publish, Pubrec, Pubrel, Will
from . import process_hooks
from .helpers import Seen

INVALID = 0x99


@dataclass
class Level:
    level: float
    pump: bool = False


class LevelDict(TypedDict):
    level: float
    pump: NotRequired[bool]


class LevelModel(pydantic.BaseModel):
    level: float
    pump: bool = False


class LevelStruct(msgspec.Struct):
    level: float
    pump: bool = False


class State(enum.Enum):
    OPEN = "open"
    SHUT = "shut"


@dataclass
class Deep:
    levels: list[Level]
    state: State
    at: datetime.datetime | None = None


GOOD = [
    (Level, b'{"level": 4}', Level(4.0)),
    (Level, b'{"level": 4.5, "pump": true, "more": 1}', Level(4.5, True)),
    (LevelDict, b'{"level": 4.5}', {"level": 4.5}),
    (LevelModel, b'{"level": 4.5, "pump": true}', LevelModel(level=4.5, pump=True)),
    (LevelStruct, b'{"level": 4.5}', LevelStruct(4.5)),
    (Deep, b'{"levels": [{"level": 1}], "state": "open"}', Deep([Level(1.0)], State.OPEN)),
    (dict, b'{"a": [1]}', {"a": [1]}),
    (dict[str, float], b'{"a": 1}', {"a": 1.0}),
    (list[int], b"[1, 2]", [1, 2]),
    (float, b"4.5", 4.5),
    (int, b" 7\n", 7),
    (bool, b"true", True),
    (str, "wärm".encode(), "wärm"),
    (bytes, b"\xff\0", b"\xff\0"),
    (State, b"shut", State.SHUT),
    (uuid.UUID, b"12345678-1234-5678-1234-567812345678", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    (float | None, b"", None),
    (Level | None, b"null", None),
    (Literal["on", "off"], b"on", "on"),
]
BAD = [
    (Level, b'{"level": "high"}', "level: a number is needed, not text"),
    (Level, b"{}", "level"),
    (Level, b"no JSON", "the payload is not JSON"),
    (Level, b"", "the payload is empty"),
    (LevelDict, b'{"pump": true}', "level"),
    (LevelModel, b'{"level": []}', "level"),
    (LevelStruct, b'{"level": "x"}', "level"),
    (Deep, b'{"levels": [{"level": 1}, {"level": true}], "state": "open"}', "levels[1].level"),
    (Deep, b'{"levels": [], "state": "ajar"}', "state"),
    (dict, b"[]", ""),
    (float, b"warm", ""),
    (int, b"1.5", ""),
    (str, b"\xff", "the payload is not UTF-8"),
    (State, b"ajar", ""),
]


def name(one: Any) -> str:
    return getattr(one, "__name__", str(one))[:40] if not isinstance(one, bytes) else repr(one)[:25]


def annotated(function: Any, **types: Any) -> Any:
    """Annotate a function with types that are values of the test."""
    function.__annotations__ = types
    return function


# What comes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def", "threads"])
@pytest.mark.parametrize(("annotation", "payload", "value"), GOOD, ids=name)
def test_a_payload_that_is_read(broker, join, kind, annotation, payload, value):
    seen = Seen()

    async def later(one):
        await asyncio.sleep(0)
        seen.append(one)

    hook = annotated(later if kind == "async def" else lambda one: seen.append(one), one=annotation)
    options = {"threads": 2} if kind == "threads" else {}
    broker.on_message_received("a", name="hook", **options)(hook)
    join(broker).publish("a", payload, 1)
    assert seen.until(1) == [value] and type(seen[0]) is type(value)
    assert broker.wait_for_hooks()
    (info,) = broker.hooks
    assert (info.calls, info.errors, info.invalid) == (1, 0, 0)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("annotation", "payload", "problem"), BAD, ids=name)
def test_a_payload_that_is_invalid_is_counted(broker, join, caplog, kind, annotation, payload, problem):
    seen = Seen()

    async def later(one):
        seen.append(one)

    hook = annotated(later if kind == "async def" else lambda one: seen.append(one), one=annotation)
    broker.on_message_received("a", name="hook")(hook)
    publisher = join(broker)
    for _ in range(3):
        assert publisher.publish("a", payload, 1) == 0x10, "an observer changes no outcome"
    publisher.publish("b", payload, 1)
    assert broker.wait_for_hooks()
    assert seen == []
    (info,) = broker.hooks
    assert (info.invalid, info.errors) == (3, 0)
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert record.levelno == logging.WARNING
    assert "hook was given 1 payloads that are not what it asks for" in record.getMessage()
    assert problem in record.getMessage()


def test_levels_of_the_topic(broker, join):
    seen = Seen()

    @broker.on_message_received("plant/{hall}/{tank}/{state}")
    def watch(level: Level, tank: int, hall, state: State):
        seen.append((level.level, hall, tank, state))

    publisher = join(broker)
    payload = b'{"level": 1}'
    for topic in ("plant/north/7/open", "plant/north/seven/open", "plant/x/8/ajar", "plant//-1/shut"):
        publisher.publish(topic, payload, 1)
    assert broker.wait_for_hooks()
    assert seen == [(1.0, "north", 7, State.OPEN), (1.0, "", -1, State.SHUT)]
    assert (broker.hooks[0].invalid, broker.hooks[0].errors) == (2, 0)


def test_the_message_beside_its_payload(broker, join):
    seen = Seen()

    @broker.on_message_received("a/{n}")
    def both(msg: Message, level: Level, n: int):
        seen.append((msg.topic, msg.client_id, level, n))

    @broker.on_message_received("a/+")
    def plain(msg: Any):
        seen.append(type(msg))

    join(broker, "p").publish("a/1", b'{"level": 2}', 1)
    assert seen.until(2) == [("a/1", "p", Level(2.0), 1), Message]


@pytest.mark.parametrize("kind", ["sent", "acked", "dropped"])
def test_every_observer_of_messages(broker, join, kind):
    seen = Seen()

    @getattr(broker, f"on_message_{kind}")("a/{n}")
    def watch(level: Level, n: int):
        seen.append((level.level, n))

    expiry = {"session_expiry_interval": 60}
    reader = join(broker, "r", properties=expiry)
    reader.subscribe("a/#", qos=1)
    if kind == "dropped":
        reader.close()
    for payload in (b'{"level": 1}', b"no", b'{"level": 2}'):
        broker.publish("a/5", payload, qos=0 if kind == "dropped" else 1)
        if kind != "dropped":
            reader.expect_message("a/5", payload, qos=1)
        else:
            while broker.statistics["clients_connected"]:
                pass
    if kind == "dropped":
        broker.publish("a/5", b'{"level": 3}')
    assert seen.until(2)[-1] in ((2.0, 5), (3.0, 5))
    assert broker.wait_for_hooks()
    assert broker.hooks[0].errors == 0


def test_dropped_has_its_other_arguments_as_well(broker, join):
    seen = Seen()

    @broker.on_message_dropped("a")
    def lost(level: float, client_id, reason):
        seen.append((level, client_id, reason))

    broker.on_deliver("a")(lambda msg: False)
    reader = join(broker, "r")
    reader.subscribe("a", qos=1)
    join(broker).publish("a", b"4.5", 1)
    assert seen.until(1) == [(4.5, "r", "a hook decided so")]


def test_with_a_condition(broker, join):
    seen = Seen()

    @broker.on_message_received("a", where="level > 2")
    def watch(level: Level):
        seen.append(level.level)

    publisher = join(broker)
    for payload in (b'{"level": 1}', b'{"level": 3}', b'{"level": "x"}', b"no"):
        publisher.publish("a", payload, 1)
    assert broker.wait_for_hooks()
    assert seen == [3.0]
    assert (broker.hooks[0].calls, broker.hooks[0].invalid) == (1, 0)


def test_what_a_typed_hook_raises_is_an_error(broker, join):
    @broker.on_message_received("a")
    def watch(level: Level):
        raise ValueError("my own")

    join(broker).publish("a", b'{"level": 1}', 1)
    assert broker.wait_for_hooks()
    assert (broker.hooks[0].calls, broker.hooks[0].errors, broker.hooks[0].invalid) == (1, 1, 0)


@dataclass
class Unreadable:
    lock: asyncio.Lock


def test_an_annotation_that_nothing_can_be_read_as(broker):
    for annotation in (Unreadable, list[Unreadable]):
        with pytest.raises(HookMQError) as caught:
            broker.on_message_received("a")(annotated(lambda one: None, one=annotation))
        assert caught.value.code == "E501"
    assert broker.hooks == []


# Deciders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("annotation", [Level, LevelDict, LevelModel, LevelStruct], ids=name)
def test_a_transform_is_given_what_it_asks_for(broker, join, annotation, kind):
    def scale(level, client, tank):
        values = level if isinstance(level, dict) else {"level": level.level}
        return {"level": values["level"] * tank, "by": client.client_id}

    async def scale_later(level, client, tank):
        await asyncio.sleep(0)
        return scale(level, client, tank)

    hook = annotated(scale if kind == "def" else scale_later, level=annotation, tank=int)
    broker.transform("tank/{tank}", name="scale")(hook)
    reader = join(broker)
    reader.subscribe("#", qos=2)
    publisher, old = join(broker, "p"), join(broker, "old", version=V311)
    assert publisher.publish("tank/7", b'{"level": 2}', 1) == 0
    reader.expect_message("tank/7", b'{"level":14.0,"by":"p"}', qos=1)
    # What is not valid is refused, and why is said in words.
    publisher.send(Publish("tank/7", b'{"level": "x"}', 1, id=1), Publish("tank/x", b'{"level": 2}', 2, id=2))
    first, second = publisher.expect(Puback(1, INVALID)), publisher.expect(Pubrec(2, INVALID))
    assert "level" in first.properties["reason_string"]
    assert second.properties["reason_string"].startswith("tank: ")
    publisher.send(Pubrel(2))
    publisher.expect(Pubcomp(2, 0x92))
    assert publisher.publish("tank/7", b"no JSON", 0) == 0
    assert old.publish("tank/7", b"no JSON", 1) == 0, "there is no other answer before version 5"
    reader.expect_nothing()
    (info,) = broker.hooks
    assert (info.calls, info.invalid, info.errors) == (5, 4, 0)


def test_a_will_that_is_invalid_refuses_its_client(broker, join):
    broker.transform("will")(annotated(lambda level: None, level=Level))
    client = join(broker, code=INVALID, will=Will("will", b"gone", 1))
    assert "not JSON" in client.connack.properties["reason_string"]
    join(broker, will=Will("will", b'{"level": 1}', 1))


def test_what_a_client_must_not_be_told_is_not(broker, join):
    """Neither what it sent, nor anything that breaks the packet."""
    broker.transform("a")(annotated(lambda level: None, level=dict[str, int]))
    publisher = join(broker)
    for key in ("x" * 5000, "secret\\u0000", "a\\nb", "\\ud800", "ü" * 300):
        publisher.send(Publish("a", f'{{"{key}": "secret value"}}'.encode(), 1, id=1))
        why = publisher.expect(Puback(1, INVALID)).properties["reason_string"]
        assert len(why) <= 300 and "secret value" not in why and why.isprintable()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_on_deliver_withholds_what_is_invalid(broker, join, kind):
    def judge(level, client):
        return {"level": level.level, "for": client.client_id}

    async def judge_later(level, client):
        return judge(level, client)

    broker.on_deliver("a", name="judge")(annotated(judge if kind == "def" else judge_later, level=Level))
    reader = join(broker, "r")
    reader.subscribe("a", qos=1)
    publisher = join(broker)
    for payload in (b"no", b'{"level": 2}'):
        assert publisher.publish("a", payload, 1) == 0
    reader.expect_message("a", b'{"level":2.0,"for":"r"}', qos=1)
    assert (broker.hooks[0].calls, broker.hooks[0].invalid, broker.hooks[0].errors) == (2, 1, 0)


# Dead letters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_dead_letters(broker, join, kind, qos):
    seen = Seen()

    async def later(level):
        seen.append(level)

    hook = annotated(later if kind == "async def" else lambda level: seen.append(level), level=Level)
    broker.on_message_received("tank/+", dead_letter="rejected/level", name="hook")(hook)
    again = Seen()
    broker.on_message_received("rejected/#", name="again")(again.append)
    reader = join(broker)
    reader.subscribe("rejected/#", qos=2)
    publisher = join(broker)
    publisher.publish("tank/7", b"no \xff", qos, retain=True, properties={"content_type": "x"})
    publisher.publish("tank/8", b'{"level": 1}', qos)
    got = reader.read()
    reader.acknowledge(got)
    assert (got.topic, got.payload, got.qos, got.retain) == ("rejected/level", b"no \xff", qos, False)
    user = dict(got.properties["user_property"])
    assert user.keys() == {"reason", "topic"}
    assert user["topic"] == "tank/7" and "UTF-8" in user["reason"]
    reader.expect_nothing()
    assert seen.until(1) == [Level(1.0)]
    assert broker.wait_for_hooks()
    assert again == [], "the broker publishes it: no hook of clients' messages can call itself so"
    assert (broker.hooks[0].invalid, broker.hooks[0].errors) == (1, 0)


def test_dead_letters_of_a_transform(broker, join):
    @broker.transform("tank/{tank}", dead_letter="rejected")
    def scale(level: Level, tank: int):
        return Change(payload=level.level * tank)

    reader = join(broker)
    reader.subscribe("#", qos=1)
    publisher = join(broker)
    assert publisher.publish("tank/7", b'{"level": 1}', 1) == 0
    reader.expect_message("tank/7", b"7.0", qos=1)
    publisher.send(Publish("tank/x", b'{"level": 1}', 1, id=1))
    why = publisher.expect(Puback(1, INVALID)).properties["reason_string"]
    dead = reader.read()
    reader.acknowledge(dead)
    assert (dead.topic, dead.payload) == ("rejected", b'{"level": 1}')
    assert dict(dead.properties["user_property"]) == {"reason": why, "topic": "tank/x"}
    reader.expect_nothing()


def test_a_dead_letter_that_there_is_no_room_for(broker_factory, join):
    """It is lost then, and nothing else."""
    broker = broker_factory({"limits.max_queued_messages": 1})

    seen = Seen()

    @broker.on_message_received("a", dead_letter="rejected")
    def watch(level: Level):
        seen.append(level.level)

    sleeper = join(broker, "s", properties={"session_expiry_interval": 60})
    sleeper.subscribe("rejected", qos=1)
    sleeper.close()
    publisher = join(broker)
    for payload in (b"1", b"2", b"3", b'{"level": 4}'):
        publisher.publish("a", payload, 1)
    assert seen.until(1) == [4.0]
    assert broker.wait_for_hooks()
    assert broker.hooks[0].invalid == 3


@pytest.mark.parametrize("topic", ["", "a/#", "a\0"])
def test_a_topic_for_dead_letters_that_is_none(broker, topic):
    with pytest.raises((ValueError, HookMQError)):
        broker.on_message_received("a", dead_letter=topic)(annotated(lambda level: None, level=Level))
    assert broker.hooks == []


def test_acknowledged_after_the_hook_also_if_it_is_invalid(broker, join):
    """It would not be valid the next time either."""
    broker.on_message_received("a", ack="after_hook", dead_letter="rejected")(
        annotated(lambda level: None, level=Level)
    )
    reader, publisher = join(broker), join(broker)
    reader.subscribe("rejected", qos=1)
    assert publisher.publish("a", b"no", 1) == 0x10
    assert reader.read().payload == b"no"


def test_the_function_stays_what_it_was(broker):
    @broker.on_message_received("tank/{tank}")
    def watch(level: Level, tank: int) -> tuple[Level, int]:
        return level, tank

    assert watch(Level(1.0), 7) == (Level(1.0), 7)
    assert dataclasses.asdict(watch(Level(2.0), 7)[0]) == {"level": 2.0, "pump": False}
    assert broker.hooks[0].name == "watch"


def test_a_payload_is_read_for_a_hook_in_another_process(broker, join, tmp_path):
    """What is no order is counted and reported, and the next one is told."""
    broker.on_message_received("pumps/{pump}", executor="process", name="orders")(process_hooks.write_order)
    diary = tmp_path / "diary"
    publisher = join(broker)
    publisher.publish("pumps/1", json.dumps({"diary": str(diary), "level": 2}).encode(), 1)
    publisher.publish("pumps/1", b'{"level": "high"}', 1)
    publisher.publish("pumps/2", json.dumps({"diary": str(diary), "level": 2.5}).encode(), 1)
    assert broker.wait_for_hooks()
    lines = [line.split() for line in diary.read_text().splitlines()]
    assert [line[:3] for line in lines] == [["Order", "2.0", "1"], ["Order", "2.5", "2"]]
    assert str(os.getpid()) not in {line[3] for line in lines}
    assert (broker.hooks[0].invalid, broker.hooks[0].errors) == (1, 0)
