"""What came out: HookMQ beside mosquitto, and the others for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .growth import BESIDE, GROWTH
from .hooked import ROW, TARGET
from .running import Samples
from .scenarios import Scenario

__all__ = [
    "Table",
    "as_markdown",
    "as_text",
    "costs",
    "growth",
    "hooked",
    "idle",
    "memory",
    "rates",
    "variants",
]

Row = tuple[str, ...]

NAMES = {"cpu_us": "", "p50_us": ", median", "p99_us": ", 99 %"}


@dataclass(frozen=True)
class Table:
    """Rows below a head."""

    title: str
    head: Row
    rows: Sequence[Row]


def _least(samples: Samples, scenario: str, broker: str, figure: str) -> float | None:
    """The smallest of the rounds: what else the machine does only ever adds."""
    return min((sample[figure] for sample in samples.get(scenario, {}).get(broker, [])), default=None)


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _number(value: float | None, form: str = ".2f", unit: str = " µs") -> str:
    return "" if value is None else f"{value:{form}}{unit}"


def _verdict(value: float | None, target: float | None) -> str:
    if value is None or target is None:
        return ""
    return "met" if value <= target else "missed"


def costs(scenarios: Sequence[Scenario], samples: Samples, peers: Sequence[str]) -> Table:
    """One row for each scenario and figure: the smallest of the rounds."""
    rows = []
    for one in scenarios:
        for figure in ("cpu_us", *one.figures):
            values = [_least(samples, one.name, peer, figure) for peer in peers]
            of = dict(zip(peers, values, strict=True))
            ratio = _ratio(of.get("hookmq"), of.get("mosquitto"))
            rows.append(
                (
                    one.name + NAMES[figure],
                    _number(one.target, "g", ""),
                    _number(ratio, ".3f", ""),
                    _verdict(ratio, one.target),
                    *map(_number, values),
                )
            )
    head = ("scenario", "at most", "ratio", "", *peers)
    return Table("CPU of the broker for a delivered message", head, rows)


def rates(scenarios: Sequence[Scenario], samples: Samples, peers: Sequence[str]) -> Table:
    """How many messages went through a second, none lost; the largest of the rounds."""
    rows = []
    for one in scenarios:
        cells = []
        for peer in peers:
            rounds = samples.get(one.name, {}).get(peer, [])
            fastest = max(
                (each["messages"] / each["seconds"] for each in rounds if each["seconds"]), default=None
            )
            cells.append(_number(fastest, ",.0f", ""))
        if "rate" not in one.plan:
            rows.append((one.name, *cells))
    return Table("Messages a second that go through, none lost", ("scenario", *peers), rows)


def memory(scenarios: Sequence[Scenario], samples: Samples, peers: Sequence[str]) -> Table:
    """What the broker held in memory after the run."""
    rows = [
        (
            one.name,
            *(_number(_mib(_least(samples, one.name, peer, "memory")), ",.0f", " MiB") for peer in peers),
        )
        for one in scenarios
    ]
    return Table("Memory of the broker's process behind the run", ("scenario", *peers), rows)


def _mib(size: float | None) -> float | None:
    return None if size is None else size / 2**20


def variants(scenarios: Sequence[Scenario], samples: Samples, peers: Sequence[str]) -> Table:
    """The same with MQTT 5, TLS and WebSocket, beside HookMQ's plain self."""
    rows = []
    for one in scenarios:
        values = [_least(samples, one.name, peer, "cpu_us") for peer in peers]
        plain = _least(samples, one.beside or "", "hookmq", "cpu_us")
        ours = dict(zip(peers, values, strict=True)).get("hookmq")
        own = _ratio(ours, plain)
        rows.append(
            (
                one.name,
                _number(one.target, "g", ""),
                _number(own, ".2f", ""),
                _verdict(own, one.target),
                *map(_number, values),
            )
        )
    head = ("scenario", "at most", "beside plain", "", *peers)
    return Table("MQTT 5, TLS and WebSocket", head, rows)


def idle(scenario: Scenario, samples: Samples, peers: Sequence[str]) -> Table:
    """What a connection takes in memory."""
    rows = []
    for peer in peers:
        value = _least(samples, scenario.name, peer, "bytes")
        target = scenario.target if peer == "hookmq" else None
        rows.append(
            (peer, _number(target, ",g", " B"), _number(value, ",.0f", " B"), _verdict(value, target))
        )
    return Table(f"Memory of each of {scenario.name}", ("broker", "at most", "figure", ""), rows)


def hooked(samples: Samples) -> Table:
    """A hook beside a broker with a client in Python."""
    brokers = samples.get(ROW, {})
    least = {name: min(sample["cpu_us"] for sample in rounds) for name, rounds in brokers.items()}
    ours = least.pop("hookmq with a hook", None)
    best = min(least.values(), default=None)
    ratio = _ratio(ours, best)
    target = f"{TARGET:g} × the best pair"
    rows = [("hookmq with a hook", target, _number(ratio, ".3f", ""), _verdict(ratio, TARGET), _number(ours))]
    rows += [
        (name, "", "", "", _number(value)) for name, value in sorted(least.items(), key=lambda one: one[1])
    ]
    title = "A stream that Python counts: CPU of broker and Python for a message"
    return Table(title, ("who", "at most", "ratio", "", "CPU"), rows)


def growth(samples: Samples) -> list[Table]:
    """What grows, and what it costs; memory is what one of them takes."""
    tables = []
    for family, scenarios in GROWTH.items():
        rows = []
        for one in scenarios:
            cells: list[str] = []
            for peer in BESIDE:
                cells += [_number(_least(samples, one.name, peer, "cpu_us"))]
            for peer in BESIDE:
                few = _least(samples, scenarios[0].name, peer, "memory")
                many = _least(samples, one.name, peer, "memory")
                number = next((int(word.replace(",", "")) for word in one.name.split()), 1)
                each = None if few is None or many is None or number < 1_000 else (many - few) / number
                cells.append(_number(each, ",.0f", " B") if "bytes" not in family else "")
            rows.append((one.name, *cells))
        head = ("", *(f"{peer}" for peer in BESIDE), *(f"memory each, {peer}" for peer in BESIDE))
        tables.append(Table(family.capitalize(), head, rows))
    return tables


def as_text(tables: Sequence[Table], facts: Mapping[str, str]) -> str:
    """The tables for a terminal."""
    lines = [f"{name:12} {fact}" for name, fact in facts.items()]
    for table in tables:
        rows = [table.head, *table.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
        lines += ["", table.title]
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def as_markdown(tables: Sequence[Table], facts: Mapping[str, str]) -> str:
    """The tables for a page."""
    lines = ["; ".join(f"{name}: {fact}" for name, fact in facts.items())]
    for table in tables:
        rows = ["| " + " | ".join(row) + " |" for row in (table.head, *table.rows)]
        lines += ["", f"### {table.title}", "", rows[0], "|" + "---|" * len(table.head), *rows[1:]]
    return "\n".join(lines)
