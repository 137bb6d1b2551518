"""Payloads and levels of topics as the types that annotations name."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, Flag, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import msgspec
import pydantic
import pydantic.dataclasses
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from hookmq import Client, Message
from hookmq.typed.conversion import InvalidPayload, annotations, level_conversion, payload_conversion

T = TypeVar("T")
Celsius = NewType("Celsius", float)
Alias = typing_extensions.TypeAliasType("Alias", Celsius | None)


class Mode(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"


class Lenient(StrEnum):
    ON = "on"

    @classmethod
    def _missing_(cls, value: object) -> Lenient | None:
        return cls.ON if value.lower() == "on" else None


class Step(IntEnum):
    ONE = 1
    TWO = 2


class Light(Flag):
    RED = 1
    GREEN = 2


class Mixed(Enum):
    TRUE = True
    NOTHING = None
    PAIR = (1, 2)


@dataclass
class Level:
    value: float
    unit: str = "cm"


@dataclass(frozen=True, slots=True)
class Tank:
    level: Level
    name: str | None = None
    history: list[Level] = field(default_factory=list)


@dataclass
class Everything:
    text: str
    number: float
    whole: int
    truth: bool
    anything: Any
    either: int | str
    pair: tuple[int, str]
    row: tuple[float, ...]
    by_name: dict[str, Level]
    by_number: Mapping[int, float]
    some: Sequence[int]
    kind: Literal["a", "b", 3, True]
    mode: Mode
    step: Step
    at: datetime
    day: date
    id: UUID
    warm: Celsius
    bounded: Annotated[int, "0 to 10"]
    old: Optional[Union[float, bool]]  # noqa: UP007, UP045 - this is what is tested


EVERYTHING = {
    "text": "ü",
    "number": 1,
    "whole": 2.0,
    "truth": False,
    "anything": {"a": [None]},
    "either": "5",
    "pair": [1, "x"],
    "row": [1, 2.5],
    "by_name": {"a b": {"value": 1}},
    "by_number": {"7": 1.5},
    "some": [1],
    "kind": True,
    "mode": "manual",
    "step": 2,
    "at": "2026-11-01T10:00:00+01:00",
    "day": "2026-11-01",
    "id": "12345678-1234-5678-1234-567812345678",
    "warm": 20,
    "bounded": 3,
    "old": None,
}


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


@dataclass
class Special:
    count: ClassVar[int] = 0
    given: InitVar[int]
    doubled: int = field(init=False)
    named: int = field(default=1, kw_only=True)

    def __post_init__(self, given: int) -> None:
        self.doubled = 2 * given


@dataclass
class Percent:
    value: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 100:
            raise ValueError("a percentage is\nfrom 0 to 100" if self.value > 0 else "")


@dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = field(default_factory=list)


class Base(TypedDict):
    id: int


class Reading(Base, total=False):
    value: Required[float]
    unit: str


class Partial(TypedDict):
    value: float
    unit: NotRequired[Annotated[str, "of the value"]]


class Extended(typing_extensions.TypedDict):
    value: typing_extensions.ReadOnly[float]
    unit: typing_extensions.ReadOnly[NotRequired[str]]


Odd = TypedDict("Odd", {"class": int, "a b": list[int]})


@dataclass
class On:
    kind: Literal["on"]
    power: int


@dataclass
class Off:
    kind: Literal["off"]


class Model(pydantic.BaseModel):
    value: float = pydantic.Field(ge=0)
    tags: list[str] = []
    at: datetime | None = None

    @pydantic.field_validator("value")
    @classmethod
    def not_nine(cls, value: float) -> float:
        if value == 9:
            raise ValueError("nine is wrong")
        return value


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")
    at: datetime
    pair: tuple[int, int]


@pydantic.dataclasses.dataclass
class ModelData:
    value: float


class Packed(msgspec.Struct):
    value: float
    tags: list[str] = []
    named: dict[str, int] = {}
    at: datetime | None = None

    def __post_init__(self) -> None:
        if self.value == 9:
            raise ValueError("nine is wrong")


class PackedBox(msgspec.Struct, Generic[T]):
    content: T


class Row(msgspec.Struct, array_like=True):
    value: float
    unit: str


@dataclass
class Holder:
    model: Model | None = None
    strict: Strict | None = None
    packed: Packed | float | None = None
    row: Row | None = None
    data: ModelData | None = None


def read(annotation: Any, payload: Any) -> Any:
    convert = payload_conversion(annotation)
    assert convert is not None
    return convert(payload if isinstance(payload, bytes) else json.dumps(payload).encode())


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

GOOD: list[tuple[Any, Any, Any]] = [
    # plain types: the payload itself
    (bytes, b"\xff\0", b"\xff\0"),
    (str, b' "gr\xc3\xbcn"\n', ' "grün"\n'),
    (str, b"", ""),
    (int, b" 12\r\n", 12),
    (int, b"-0012", -12),
    (int, b"12.0", 12),
    (float, b"12", 12.0),
    (float, b"+.5e-1", 0.05),
    (float, b"1.", 1.0),
    (bool, b"true", True),
    (bool, b"OFF", False),
    (bool, b"1", True),
    (Celsius, b"20.5", 20.5),
    (Alias, b"20.5", 20.5),
    (Alias, b"", None),
    (Annotated[float, "unit"], b"1", 1.0),
    (Mode, b"auto", Mode.AUTO),
    (Step, b"2", Step.TWO),
    (Lenient, b"ON", Lenient.ON),
    (Mixed, b"true", Mixed.TRUE),
    (Literal["open", "closed"], b"open\n", "open"),
    (Literal[1, 2], b"2", 2),
    (UUID, b"12345678123456781234567812345678", UUID(int=0x12345678123456781234567812345678)),
    (date, b"2026-11-01", date(2026, 11, 1)),
    (datetime, b"2026-11-01T12:00:00Z", NOON),
    (datetime, b"1793534400", NOON),
    # JSON
    (dict, {"a": [1, None]}, {"a": [1, None]}),
    (list, b" [1] ", [1]),
    (tuple, [1, "a"], (1, "a")),
    (typing.Dict, {"a": 1}, {"a": 1}),  # noqa: UP006
    (typing.List[int], [1], [1]),  # noqa: UP006
    (dict[str, float], {"a": 1, "b": 2.5}, {"a": 1.0, "b": 2.5}),
    (dict[int, Any], {"7": None}, {7: None}),
    (dict[Mode, bool], {"auto": True}, {Mode.AUTO: True}),
    (dict[Literal["a"], object], {"a": "x"}, {"a": "x"}),
    (Sequence[int], [1, 2.0], [1, 2]),
    (tuple[int, ...], [], ()),
    (tuple[int, str], [1, "a"], (1, "a")),
    (list[Level], [{"value": 1}], [Level(1.0)]),
    (list[int | None], [1, None], [1, None]),
    (list[int | float], [1, 1.0, 1.5], [1, 1.0, 1.5]),
    (list[float | int], [1, 1.5], [1, 1.5]),
    (list[datetime | str], ["2026-11-01T12:00Z", "noon"], [NOON, "noon"]),
    (list[datetime], [1793534400, 1793534400.0], [NOON, NOON]),
    (list[Light], [1, 3], [Light.RED, Light.RED | Light.GREEN]),
    (list[Mixed], [True, None], [Mixed.TRUE, Mixed.NOTHING]),
    (list[Lenient], ["On"], [Lenient.ON]),
    (list[Literal[Mode.AUTO]], ["auto"], [Mode.AUTO]),
    (list[Step], [1.0], [Step.ONE]),
    # dataclasses
    (Level, {"value": 12}, Level(12.0, "cm")),
    (Level, {"value": 1.5, "unit": "m", "unknown": [1]}, Level(1.5, "m")),
    (Tank, {"level": {"value": 1}}, Tank(Level(1.0))),
    (
        Tank,
        {"level": {"value": 1}, "name": None, "history": [{"value": 2}]},
        Tank(Level(1.0), None, [Level(2.0)]),
    ),
    (Node, {"name": "a", "children": [{"name": "b"}]}, Node("a", [Node("b")])),
    (Percent, {"value": 100}, Percent(100.0)),
    (Box[int], {"content": 1.0, "more": [2]}, Box(1, [2])),
    (Box[Level], {"content": {"value": 1}}, Box(Level(1.0))),
    (Box, {"content": "x", "more": [None]}, Box("x", [None])),
    # TypedDict
    (Reading, {"id": 1, "value": 2, "unknown": 3}, {"id": 1, "value": 2.0}),
    (Reading, {"id": 1, "value": 2, "unit": "m"}, {"id": 1, "value": 2.0, "unit": "m"}),
    (Partial, {"value": 2}, {"value": 2.0}),
    (list[Partial], [{"value": 2, "unit": "m"}], [{"value": 2.0, "unit": "m"}]),
    (Odd, {"class": 1, "a b": [2]}, {"class": 1, "a b": [2]}),
    (Extended, {"value": 1}, {"value": 1.0}),
    (Extended, {"value": 1, "unit": "m"}, {"value": 1.0, "unit": "m"}),
    # several types
    (Level | None, b"", None),
    (Level | None, b" null ", None),
    (Level | None, {"value": 1}, Level(1.0)),
    (Optional[str], b"", None),  # noqa: UP045
    (str | None, b"null", "null"),
    (bytes | None, b"null", b"null"),
    (Model | None, b"null", None),
    (float | str, b"21.5", 21.5),
    (str | float, b"unavailable", "unavailable"),
    (str | Level, {"value": 1}, Level(1.0)),
    (bytes | Level, b"\xff", b"\xff"),
    (Level | Mode, b"auto", Mode.AUTO),
    (On | Off, {"kind": "off"}, Off("off")),
    (On | Off, {"kind": "on", "power": 1}, On("on", 1)),
    (dict[str, int] | list[int], [1], [1]),
    # pydantic
    (Model, {"value": "1.5", "at": "2026-11-01T12:00:00Z"}, Model(value=1.5, at=NOON)),
    (ModelData, {"value": 1}, ModelData(1.0)),
    (Strict, {"at": "2026-11-01T12:00:00Z", "pair": [1, 2]}, Strict(at=NOON, pair=(1, 2))),
    (list[Model], [{"value": 1}], [Model(value=1)]),
    (Model | Level, {"value": 1}, Model(value=1)),
    # msgspec
    (Packed, {"value": 1, "at": "2026-11-01T12:00:00Z"}, Packed(1.0, at=NOON)),
    (PackedBox[int], {"content": 1}, PackedBox(1)),
    (Row, [1, "m"], Row(1.0, "m")),
    (dict[str, Packed], {"a": {"value": 1}}, {"a": Packed(1.0)}),
    (
        Holder,
        {
            "model": {"value": 1},
            "strict": {"at": "2026-11-01T12:00:00Z", "pair": [1, 2]},
            "packed": {"value": 1},
            "row": [1, "m"],
            "data": {"value": 2},
        },
        Holder(Model(value=1), Strict(at=NOON, pair=(1, 2)), Packed(1.0), Row(1.0, "m"), ModelData(2.0)),
    ),
    (Holder, {"packed": 5}, Holder(packed=5.0)),
]


@pytest.mark.parametrize(("annotation", "payload", "expected"), GOOD)
def test_what_fits(annotation: Any, payload: Any, expected: Any) -> None:
    value = read(annotation, payload)
    assert value == expected
    assert type(value) is type(expected)
    # 1, 1.0 and True are equal; TzInfo is what pydantic has for UTC.
    assert repr(value).replace("TzInfo(0)", repr(UTC)) == repr(expected)


def test_every_kind_of_field() -> None:
    made = read(Everything, EVERYTHING)
    assert dataclasses.asdict(made) == EVERYTHING | {
        "number": 1.0,
        "whole": 2,
        "pair": (1, "x"),
        "row": (1.0, 2.5),
        "by_name": {"a b": {"value": 1.0, "unit": "cm"}},
        "by_number": {7: 1.5},
        "at": datetime(2026, 11, 1, 10, tzinfo=timezone(timedelta(hours=1))),
        "day": date(2026, 11, 1),
        "id": UUID("12345678-1234-5678-1234-567812345678"),
        "mode": Mode.MANUAL,
        "step": Step.TWO,
    }
    assert [type(one) for one in (made.number, made.whole, made.kind)] == [float, int, bool]
    assert (made.mode, made.step) == (Mode.MANUAL, Step.TWO)
    assert [type(one) for one in (made.mode, made.step)] == [Mode, Step]


def test_fields_that_are_no_plain_attributes() -> None:
    made = read(Special, {"given": 4, "count": 5, "doubled": 6, "named": 7})
    assert (made.count, made.doubled, made.named) == (0, 8, 7)
    with pytest.raises(InvalidPayload, match=r"^given: it is missing$"):
        read(Special, {})


def test_a_time_without_an_offset_is_local() -> None:
    [at] = read(list[datetime], ["2026-11-01T12:00"])
    assert at == datetime(2026, 11, 1, 12).astimezone()
    assert at.tzinfo is not None


def changed(**values: Any) -> dict[str, Any]:
    return EVERYTHING | values


TIME = "a time (ISO 8601 or Unix seconds) is needed"

BAD: list[tuple[Any, Any, str]] = [
    # no JSON, no text
    (dict, b"", "the payload is empty, JSON is needed"),
    (dict, b"  ", "the payload is not JSON, from character 3 on"),
    (Level, b"warm", "the payload is not JSON, from character 1 on"),
    (Level, b'{"value": 1}x', "the payload is not JSON, from character 13 on"),
    (Level, b'{"value": \xff}', "the payload is not UTF-8, from byte 11 on"),
    (str, b"a\xff", "the payload is not UTF-8, from byte 2 on"),
    (int, b"\xff", "the payload is not UTF-8, from byte 1 on"),
    (Level, b'{"value": NaN}', "the payload is not JSON: NaN is no number"),
    (list, b"[-Infinity]", "the payload is not JSON: -Infinity is no number"),
    (list, b"[" + b"9" * 5000 + b"]", "a number in the payload is too long"),
    (list, b"[" * 100_000, "the payload is nested too deeply"),
    # single values
    (int, b"", "a whole number is needed"),
    (int, b"12.5", "a whole number is needed"),
    (int, b"1_000", "a whole number is needed"),
    (int, "٣".encode(), "a whole number is needed"),
    (int, b"9" * 5000, "a whole number is needed"),
    (float, b"warm", "a number is needed"),
    (float, b"nan", "a number is needed"),
    (float, b".", "a number is needed"),
    (float, b"1e999", "the number is too large"),
    (bool, b"yes", "one of true, false, 1, 0, on, off is needed"),
    (Mode, b"Auto", "one of auto, manual is needed"),
    (Lenient, b"off", "on is needed"),
    (Literal["on", 1], b"2", "one of on, 1 is needed"),
    (UUID, b"7", "a UUID is needed"),
    (date, b"today", "a date (ISO 8601) is needed"),
    (datetime, b"noon", TIME),
    (datetime, b"1793534400000", TIME),
    # values of JSON
    (dict, [], "an object is needed, not a list"),
    (list, {}, "a list is needed, not an object"),
    (list, "a", "a list is needed, not text"),
    (dict[str, float], {"a": "1"}, "a: a number is needed, not text"),
    (dict[str, float], {"a b": None}, '["a b"]: a number is needed, not null'),
    (dict[int, float], {"x": 1}, "x: a whole number is needed"),
    (list[float], [1, True], "[1]: a number is needed, not a boolean"),
    (list[float], b"[1e999]", "[0]: the number is too large"),
    (list[float], [10**400], "[0]: the number is too large"),
    (list[int], [1.5], "[0]: a whole number is needed, not a fraction"),
    (list[int], b"[1e999]", "[0]: a whole number is needed, not a fraction"),
    (list[int], [False], "[0]: a whole number is needed, not a boolean"),
    (list[int], ["1"], "[0]: a whole number is needed, not text"),
    (list[str], [1], "[0]: text is needed, not a number"),
    (list[bool], [1], "[0]: true or false is needed, not a number"),
    (list[None], [0], "[0]: null is needed, not a number"),
    (list[Step], [True], "[0]: one of 1, 2 is needed, not a boolean"),
    (list[Light], ["x"], "[0]: one of 1, 2 is needed, not text"),
    (list[Mode], [[]], '[0]: one of "auto", "manual" is needed, not a list'),
    (list[Lenient], [{}], '[0]: "on" is needed, not an object'),
    (list[Literal[1]], [True], "[0]: 1 is needed, not a boolean"),
    (list[Literal["ü"]], ["u"], '[0]: "ü" is needed'),
    (list[datetime], [True], f"[0]: {TIME}, not a boolean"),
    (list[datetime], ["0001-01-01T00:00+23:00", "x"], f"[1]: {TIME}"),
    (list[datetime], [1e18], f"[0]: {TIME}"),
    (list[date], [1], "[0]: a date (ISO 8601) is needed, not a number"),
    (list[UUID], ["x"], "[0]: a UUID is needed"),
    (tuple[int, str], [1], "a list of 2 is needed, not of 1"),
    (tuple[int, str], [1, 2], "[1]: text is needed, not a number"),
    (tuple[int, str], {}, "a list is needed, not an object"),
    (tuple[int, ...], [1, "x"], "[1]: a whole number is needed, not text"),
    # dataclasses and TypedDict
    (Level, [], "an object is needed, not a list"),
    (Level, {}, "value: it is missing"),
    (Level, {"value": None}, "value: a number is needed, not null"),
    (Level, {"value": 1, "unit": None}, "unit: text is needed, not null"),
    (Tank, {"level": {"value": "high"}}, "level.value: a number is needed, not text"),
    (Tank, {"level": 5}, "level: an object is needed, not a number"),
    (Tank, {"level": {"value": 1}, "name": 5}, "name: text or null is needed, not a number"),
    (Tank, {"level": {"value": 1}, "history": [{"value": 1}, {}]}, "history[1].value: it is missing"),
    (Percent, {"value": 101}, "a percentage is from 0 to 100"),
    (list[Percent], [{"value": -1}], "[0]: it is not valid"),
    (Box[int], {"content": "x"}, "content: a whole number is needed, not text"),
    (Everything, changed(either=1.5), "either: a whole number is needed, not a fraction"),
    (Everything, changed(either=[]), "either: a whole number or text is needed, not a list"),
    (Everything, changed(pair=[1, 2]), "pair[1]: text is needed, not a number"),
    (Everything, changed(by_name={"a b": {}}), 'by_name["a b"].value: it is missing'),
    (Everything, changed(kind=1), 'kind: one of "a", "b", 3, true is needed'),
    (Everything, changed(mode="off"), 'mode: one of "auto", "manual" is needed'),
    (Everything, changed(old="x"), "old: a number or true or false or null is needed, not text"),
    (Reading, {"value": 1}, "id: it is missing"),
    (Reading, {"id": 1, "unit": "m"}, "value: it is missing"),
    (Reading, {"id": 1, "value": 1, "unit": 1}, "unit: text is needed, not a number"),
    (Partial, {"value": 1, "unit": None}, "unit: text is needed, not null"),
    (Odd, {"class": 1, "a b": ["x"]}, '["a b"][0]: a whole number is needed, not text'),
    # several types
    (On | Off, {"kind": "on"}, 'power: it is missing; or kind: "off" is needed'),
    (On | Off, 5, "an object is needed, not a number"),
    (Level | Mode, b"off", "the payload is not JSON, from character 1 on; or one of auto, manual is needed"),
    (int | bool, b"x", "a whole number is needed; or one of true, false, 1, 0, on, off is needed"),
    (Level | None, b"[]", "an object is needed, not a list"),
    (Level | str, b"\xff", "the payload is not UTF-8, from byte 1 on"),
    # models of libraries, in their words
    (Model, b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
    (Model, {}, "value: Field required"),
    (Model, {"value": -1}, "value: Input should be greater than or equal to 0"),
    (Model, {"value": 9}, "value: Value error, nine is wrong"),
    (Model, {"value": 1, "tags": ["a", 2, 3]}, "tags[1]: Input should be a valid string (and 1 more)"),
    (Strict, {"at": 5, "pair": [1, 2], "ünd": 1}, "at: Input should be a valid datetime (and 1 more)"),
    (ModelData, {"value": "x"}, "value: Input should be a valid number, unable to parse string as a number"),
    (Holder, {"model": {}}, "model.value: Field required"),
    (Packed, b"", "Input data was truncated"),
    (Packed, b"\xff", "JSON is malformed: invalid character (byte 0)"),
    (Packed, {}, "Object missing required field `value`"),
    (Packed, {"value": "x"}, "value: Expected `float`, got `str`"),
    (Packed, {"value": 9}, "nine is wrong"),
    (Packed, {"value": 1, "tags": ["a", 2]}, "tags[1]: Expected `str`, got `int`"),
    (Packed, {"value": 1, "named": {"secret": "x"}}, "named[...]: Expected `int`, got `str`"),
    (Holder, {"packed": {"value": "x"}}, "packed.value: Expected `float`, got `str`"),
    (list[Packed], [{"value": 1, "tags": [1]}], "[0].tags[0]: Expected `str`, got `int`"),
]


@pytest.mark.parametrize(("annotation", "payload", "words"), BAD)
def test_what_does_not_fit(annotation: Any, payload: Any, words: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read(annotation, payload)
    assert str(caught.value) == words


def test_a_payload_that_is_as_deep_as_a_type_that_contains_itself() -> None:
    payload = b'{"name": "", "children": ['
    depth = sys.getrecursionlimit() // 2
    with pytest.raises(InvalidPayload, match=r"^the payload is nested too deeply$"):
        read(Node, payload * depth + b"]}" * depth)
    inner = read(Node, payload * 20 + b'{"name": "x"}' + b"]}" * 20)
    for _ in range(20):
        [inner] = inner.children
    assert inner == Node("x")
    with pytest.raises(InvalidPayload) as caught:
        read(Node, payload * 50 + b"5" + b"]}" * 50)
    words = str(caught.value)
    assert words.startswith("…")
    assert words.endswith("children[0].children[0]: an object is needed, not a number")
    assert len(words) < 200


def test_what_a_client_chose_is_kept_short_and_printable() -> None:
    long = "k" * 10_000
    cases: list[tuple[Any, dict[str, Any]]] = [
        (dict[str, int], {long: "secret"}),
        (dict[str, int], {"\ud800\0\n\u202e": "secret"}),
        (dict[str, dict[str, int]], {long: {long: {"a": "secret"}}}),
        (Strict, {"at": "2026-11-01T12:00:00Z", "pair": [1, 2], long: 1}),
        (dict[str, Percent], {long: {"value": 1e9}}),
    ]
    for annotation, payload in cases:
        with pytest.raises(InvalidPayload) as caught:
            read(annotation, payload)
        words = str(caught.value)
        assert len(words) <= 300
        assert words.isprintable()
        assert "secret" not in words
        words.encode()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidPayload("x" * 400), "x" * 299 + "…"),
        (InvalidPayload("it has\n two\tlines"), "it has two lines"),
        (InvalidPayload("\0\ud800\x1b[1m"), "\ufffd\ufffd\ufffd[1m"),
        (InvalidPayload("wrong").within("b").within(0).within("a"), "a[0].b: wrong"),
        (InvalidPayload("wrong").within("f\u00fcr").within(""), '[""].f\u00fcr: wrong'),
    ],
)
def test_the_words_of_the_error(error: InvalidPayload, words: str) -> None:
    assert str(error) == words
    assert isinstance(error, ValueError)


def test_what_post_init_raises_is_the_cause() -> None:
    with pytest.raises(InvalidPayload) as caught:
        read(list[Percent], [{"value": 101}])
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_mistake_in_post_init_is_no_invalid_payload() -> None:
    @dataclass
    class Wrong:
        value: float

        def __post_init__(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read(Wrong, {"value": 1})


def test_a_long_choice_is_cut() -> None:
    names = Literal[tuple(f"name{number}" for number in range(1000))]
    with pytest.raises(InvalidPayload) as caught:
        read(list[names], ["x"])
    words = str(caught.value)
    assert words.startswith('[0]: one of "name0", "name1", ')
    assert words.endswith("… is needed")
    assert len(words) <= 300


class Unknown:
    pass


NOT_PAYLOADS = [
    Any,
    object,
    None,
    inspect.Parameter.empty,
    Message,
    Client,
    Unknown,
    Unknown | None,
    Unknown | Level,
    Message | bytes,
    Any | None,
    list[Message],
    dict[str, Unknown],
    dict[bytes, int],
    dict[Level, int],
    list[bytes],
    tuple[Message, ...],
    set[int],
    T,
    type[int],
    Callable[[], int],
    complex,
    5,
    "Level",
    [int],
]


@pytest.mark.parametrize("annotation", NOT_PAYLOADS)
def test_what_is_not_read_from_a_payload(annotation: Any) -> None:
    assert payload_conversion(annotation) is None


def test_a_field_that_cannot_be_read_is_reported_at_once() -> None:
    @dataclass
    class Inner:
        raw: bytes | None

    @dataclass
    class Outer:
        inner: list[Inner]

    @dataclass
    class Missing:
        value: Nowhere  # noqa: F821

    class Dict(TypedDict):
        value: dict[str, Unknown]

    here = "test_a_field_that_cannot_be_read_is_reported_at_once.<locals>"
    for annotation, words in (
        (Outer, f"{here}.Inner.raw: bytes cannot be read from JSON"),
        (list[Inner], f"{here}.Inner.raw: bytes cannot be read from JSON"),
        (Missing, f"{here}.Missing.value: its type, Nowhere, cannot be found"),
        (Dict, f"{here}.Dict.value: Unknown cannot be read from JSON"),
    ):
        with pytest.raises(TypeError) as caught:
            payload_conversion(annotation)
        assert str(caught.value) == words


def test_types_of_a_function() -> None:
    @dataclass
    class Inner:
        value: int

    @dataclass
    class Outer:
        inner: Inner
        more: list[Outer] = field(default_factory=list)

    class Child(Outer):
        pass

    payload = {"inner": {"value": 1}, "more": [{"inner": {"value": 2}}]}
    assert read(Outer, payload) == Outer(Inner(1), [Outer(Inner(2))])
    assert read(Child, {"inner": {"value": 1}}).inner == Inner(1)


LEVELS: list[tuple[Any, str, Any]] = [
    (int, "7", 7),
    (int, "-007", -7),
    (float, "1.5", 1.5),
    (float, "-2", -2.0),
    (bool, "true", True),
    (bool, "1", True),
    (bool, "on", True),
    (bool, "false", False),
    (bool, "0", False),
    (bool, "Off", False),
    (UUID, "12345678123456781234567812345678", UUID(int=0x12345678123456781234567812345678)),
    (date, "2026-11-01", date(2026, 11, 1)),
    (datetime, "1793534400", NOON),
    (Mode, "auto", Mode.AUTO),
    (Step, "1", Step.ONE),
    (Literal["a", "b"], "b", "b"),
    (int | None, "7", 7),
    (Annotated[int, "number"], "7", 7),
    (Celsius, "7", 7.0),
]


@pytest.mark.parametrize(("annotation", "text", "expected"), LEVELS)
def test_levels(annotation: Any, text: str, expected: Any) -> None:
    convert = level_conversion(annotation)
    assert convert is not None
    value = convert(text)
    assert (value, type(value)) == (expected, type(expected))


BAD_LEVELS: list[tuple[Any, str, str]] = [
    (int, "", "a whole number is needed"),
    (int, " 7", "a whole number is needed"),
    (int, "7x", "a whole number is needed"),
    (int, "9" * 60_000, "a whole number is needed"),
    (float, "inf", "a number is needed"),
    (float, "9" * 60_000, "the number is too large"),
    (bool, "2", "one of true, false, 1, 0, on, off is needed"),
    (UUID, "7", "a UUID is needed"),
    (Mode, "AUTO", "one of auto, manual is needed"),
    (Step, "3", "one of 1, 2 is needed"),
    (Literal["a"], "b", "a is needed"),
]


@pytest.mark.parametrize(("annotation", "text", "words"), BAD_LEVELS)
def test_levels_that_do_not_fit(annotation: Any, text: str, words: str) -> None:
    convert = level_conversion(annotation)
    assert convert is not None
    with pytest.raises(InvalidPayload) as caught:
        convert(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "annotation",
    [str, str | None, int | str, Any, object, None, inspect.Parameter.empty, Level, Unknown, bytes, 5],
)
def test_levels_that_stay_text(annotation: Any) -> None:
    assert level_conversion(annotation) is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(list(EVERYTHING.values())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*EVERYTHING, "value", "level", "packed", "model"]) | st.text(), inner
        )
    ),
    max_leaves=20,
)
PAYLOADS = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary()
TYPES = [*{repr(one): one for one, *_ in GOOD}.values(), Everything]
CONVERSIONS = [payload_conversion(one) for one in TYPES]


@given(PAYLOADS)
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    for convert in CONVERSIONS:
        assert convert is not None
        try:
            convert(payload)
        except InvalidPayload as error:
            words = str(error)
            assert words.isprintable()
            assert 0 < len(words) <= 300


@given(st.text())
def test_whatever_level_comes_is_read_or_refused(text: str) -> None:
    for annotation, *_ in LEVELS:
        convert = level_conversion(annotation)
        assert convert is not None
        try:
            convert(text)
        except InvalidPayload as error:
            assert str(error)


# annotations


def plain(level: Level, tank: int, *rest: str, unit: Mode = Mode.AUTO, **more: float) -> Level: ...


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Watcher:
    class Own:
        pass

    def method(self, level: Level, tank: int) -> None: ...

    @classmethod
    def of_class(cls, level: Level, tank: int) -> None: ...

    @staticmethod
    @decorated
    def static(level: Level, tank: int) -> None: ...

    @decorated
    def __call__(self, level: Level, tank: int) -> None: ...


@decorated
@decorated
def wrapped(level: Level, tank: int) -> None: ...


async def coroutine(level: Level, tank: int) -> None: ...


LEVEL_AND_TANK = {"level": Level, "tank": int}


@pytest.mark.parametrize(
    "function",
    [
        wrapped,
        coroutine,
        Watcher().method,
        Watcher.method,
        Watcher.of_class,
        Watcher.static,
        Watcher(),
        functools.partial(wrapped),
        functools.partial(functools.partial(Watcher().method), 5),
        decorated(functools.partial(coroutine)),
        functools.lru_cache(coroutine),
    ],
)
def test_annotations_of_all_that_can_be_called(function: Callable[..., Any]) -> None:
    assert annotations(function) == LEVEL_AND_TANK


def test_annotations_of_every_kind_of_parameter() -> None:
    found = {"level": Level, "tank": int, "rest": str, "unit": Mode, "more": float}
    assert annotations(plain) == found


@pytest.mark.parametrize("function", [print, len, dict, Level, Unknown(), 5, lambda message: None])
def test_what_has_no_annotations(function: Any) -> None:
    assert annotations(function) == {}


def test_what_cannot_be_resolved_is_left_out() -> None:
    def watch(
        a: Nowhere,  # noqa: F821
        b: list[Nowhere],  # noqa: F821
        c: 1 / 0,
        d: int,
        e: "list['Level']",  # noqa: UP037 - text in text
        f: None,
        g: Annotated[int, "kept"],
        h,
    ) -> Nowhere: ...  # noqa: F821

    expected = {"d": int, "e": list[Level], "f": type(None), "g": Annotated[int, "kept"]}
    assert annotations(watch) == expected


def test_annotations_that_are_no_text() -> None:
    def watch(level: Any) -> None: ...

    watch.__annotations__ = {"level": list["Level"], "tank": int, "return": int}
    assert annotations(watch) == {"level": list[Level], "tank": int}


def test_types_of_the_functions_around() -> None:
    class Local(Level):
        pass

    Shadowed = Local

    def inner() -> Callable[..., Any]:
        Shadowed = Mode

        def watch(level: Local, unit: Shadowed, tank: Tank) -> None: ...

        assert annotations(decorated(watch)) == {"level": Local, "unit": Mode, "tank": Tank}
        return watch

    outer_only = {"level": Local, "unit": Shadowed, "tank": Tank}
    assert annotations(inner()) == outer_only

    class Hooks:
        class Own:
            pass

        def watch(self, level: Local, own: Own) -> None: ...

        found = annotations(watch)

    assert Hooks.found == {"level": Local, "own": Hooks.Own}


def test_types_of_a_function_that_has_ended() -> None:
    def make(keep: bool) -> Callable[..., Any]:
        class Local:
            pass

        def watch(level: Local, tank: int) -> Any:
            return Local if keep else None

        return watch

    # What the function itself uses is kept with it.
    watch = make(True)
    assert annotations(watch) == {"level": watch(None, 0), "tank": int}


def test_a_name_that_is_not_assigned_yet() -> None:
    def watch(level: Later, tank: int) -> Any:
        return Later

    assert annotations(watch) == {"tank": int}
    Later = Level
    assert annotations(watch) == LEVEL_AND_TANK


def test_libraries_are_not_imported() -> None:
    script = """
import sys
from dataclasses import dataclass
from hookmq.typed.conversion import payload_conversion

@dataclass
class Level:
    value: float

assert payload_conversion(Level)(b'{"value": 1}') == Level(1.0)
assert payload_conversion(type("Other", (), {})) is None
assert not {"pydantic", "msgspec"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
