"""The table: each figure, what it is to be at least, and how it comes from the samples.

Of CPU times the smallest of all rounds counts and of rates the largest, because what else the machine does
only ever adds. Of latencies it is the median of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .variants import Sample

__all__ = ["TARGETS", "Figure", "Samples", "Target"]


class Figure(NamedTuple):
    """What came out: the text, the number behind it, whether it is good enough, what stands beside it."""

    text: str
    value: float
    met: bool | None
    beside: str = ""


class Samples:
    """The samples of each variant, one for each round."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples

    def least(self, variant: str, key: str) -> float:
        """Return the smallest of all rounds."""
        return min(self._values(variant, key))

    def most(self, variant: str, key: str) -> float:
        """Return the largest of all rounds."""
        return max(self._values(variant, key))

    def middle(self, variant: str, key: str) -> float:
        """Return the median of all rounds."""
        return statistics.median(self._values(variant, key))

    def has(self, variant: str, key: str) -> bool:
        """Whether every round has that figure."""
        return all(key in sample for sample in self._samples[variant])

    def _values(self, variant: str, key: str) -> list[float]:
        return [sample[key] for sample in self._samples[variant]]


@dataclass(frozen=True)
class Target:
    """One line of the table. ``group`` is what ``--only`` takes, ``needs`` are the variants it comes from."""

    group: str
    what: str
    at_least: str
    needs: tuple[str, ...]
    figure: Callable[[Samples], Figure]


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs" if abs(seconds) < 1e-4 else f"{seconds * 1e6:,.0f} µs"


def _rate(rate: float) -> str:
    return f"{rate / 1e6:.2f} M/s" if rate >= 1e6 else f"{rate:,.0f}/s"


def _cost(variant: str, most: float, thread: str = "hooks") -> Callable[[Samples], Figure]:
    """CPU time of a message on a thread."""

    def figure(samples: Samples) -> Figure:
        cost = samples.least(variant, thread)
        beside = (
            f"whole process {_micro(samples.least(variant, 'all'))}, {_rate(samples.most(variant, 'rate'))}"
        )
        return Figure(_micro(cost), cost, cost <= most, beside)

    return figure


def _trivial_rate(samples: Samples) -> Figure:
    rate, cost = samples.most("count", "rate"), samples.least("count", "hooks")
    return Figure(_rate(rate), rate, rate >= 1e6, f"its thread alone could {_rate(1 / cost)}")


def _cheaper(samples: Samples) -> Figure:
    peer, cost = samples.least("paho", "all"), samples.least("count", "hooks")
    return Figure(f"{peer / cost:.1f}×", peer / cost, peer / cost >= 35, f"{_micro(peer)} a message there")


def _same_dict(samples: Samples) -> Figure:
    peer, cost = samples.least("paho", "all"), samples.least("build", "hooks")
    return Figure(_micro(cost), cost, None, f"{peer / cost:.1f}× cheaper than the paho consumer")


def _network(samples: Samples, variant: str, most: float) -> Figure:
    without, with_it = samples.least("none", "network"), samples.least(variant, "network")
    cost = with_it - without
    return Figure(f"{cost * 1e9:.1f} ns", cost, cost <= most, f"{with_it * 1e9:.0f} − {without * 1e9:.0f} ns")


def _end_to_end(samples: Samples) -> Figure:
    own, peer = samples.most("count", "rate"), samples.most("paho", "rate")
    return Figure(f"{own / peer:.1f}×", own / peer, own / peer >= 20, f"{_rate(own)}, there {_rate(peer)}")


def _rows(format: str, least: float) -> Callable[[Samples], Figure]:
    def figure(samples: Samples) -> Figure:
        rate = 1 / samples.least(format, "hooks")
        beside = f"end to end {_rate(samples.most(format, 'rate'))}"
        return Figure(_rate(rate), rate, rate >= least, beside)

    return figure


def _waiting(key: str, most: float) -> Callable[[Samples], Figure]:
    def figure(samples: Samples) -> Figure:
        seen = samples.middle("wait", f"seen_{key}")
        if not samples.has("wait", key):
            return Figure(_micro(seen), seen, seen <= most, "from the send to the hook")
        wait = samples.middle("wait", key)
        return Figure(_micro(wait), wait, wait <= most, f"from the send to the hook {_micro(seen)}")

    return figure


def _latency(variant: str, key: str, most: float) -> Callable[[Samples], Figure]:
    def figure(samples: Samples) -> Figure:
        busy, quiet = samples.middle(variant, key), samples.middle("quiet", key)
        return Figure(
            f"{busy / quiet:.2f}×", busy / quiet, busy / quiet <= most, f"{_micro(busy)} : {_micro(quiet)}"
        )

    return figure


def _transform(ending: str) -> Callable[[Samples], Figure]:
    def figure(samples: Samples) -> Figure:
        variant, other = f"transform{ending}", f"native{ending}"
        ours, native = samples.most(variant, "rate"), samples.most(other, "rate")
        cost = f"CPU {_micro(samples.least(variant, 'all'))} : {_micro(samples.least(other, 'all'))}"
        driver = f"driver {samples.middle(variant, 'driver'):.0%} : {samples.middle(other, 'driver'):.0%}"
        beside = f"{_rate(ours)} : {_rate(native)}, {cost}, {driver}"
        return Figure(f"{ours / native:.2f}×", ours / native, ours / native >= 0.5, beside)

    return figure


def _memory(samples: Samples) -> Figure:
    grown = samples.least("memory", "grown")
    calls = samples.least("memory", "calls")
    return Figure(f"{grown / 2**20:.1f} MiB", grown, grown < 5 * 2**20, f"{calls / 1e6:g} M calls")


def _startup(samples: Samples) -> Figure:
    cost = samples.least("startup", "full") - samples.least("startup", "bare")
    cpu = samples.least("startup", "full_cpu") - samples.least("startup", "bare_cpu")
    beside = f"CPU {cpu * 1e3:.1f} ms; the interpreter {samples.least('startup', 'bare') * 1e3:.1f} ms"
    return Figure(f"{cost * 1e3:.1f} ms", cost, cost <= 0.02, beside)


def _paho(samples: Samples) -> Figure:
    cost = samples.least("paho", "all")
    broker = _micro(samples.least("paho", "broker"))
    return Figure(_micro(cost), cost, None, f"mosquitto {broker}, {_rate(samples.most('paho', 'rate'))}")


def _amqtt(samples: Samples) -> Figure:
    cost = samples.least("amqtt", "all")
    return Figure(_micro(cost), cost, None, f"whole process, {_rate(samples.most('amqtt', 'rate'))}")


TARGETS: Sequence[Target] = (
    Target("hook", "trivial hook: CPU on its thread", "≤ 0.5 µs", ("count",), _cost("count", 0.5e-6)),
    Target("hook", "trivial hook: rate, idle machine", "≥ 1 M/s", ("count",), _trivial_rate),
    Target("paho", "trivial hook: cheaper than a paho consumer", "≥ 35×", ("count", "paho"), _cheaper),
    Target("paho", "hook that makes the consumer's dict", "", ("build", "paho"), _same_dict),
    Target(
        "network",
        "network thread: a hook",
        "≤ 0.1 µs",
        ("none", "count"),
        lambda s: _network(s, "count", 0.1e-6),
    ),
    Target(
        "network",
        "network thread: none of that kind",
        "≤ 5 ns",
        ("none", "other"),
        lambda s: _network(s, "other", 5e-9),
    ),
    Target("paho", "end to end, QoS 0, 64 B: paho's rate", "≥ 20×", ("count", "paho"), _end_to_end),
    Target("batch", "on_batch arrow: rows in a CPU second", "≥ 10 M/s", ("arrow",), _rows("arrow", 10e6)),
    Target(
        "batch", "on_batch messages: rows in a CPU second", "≥ 5 M/s", ("messages",), _rows("messages", 5e6)
    ),
    Target("batch", "on_batch dicts: rows in a CPU second", "≥ 2 M/s", ("dicts",), _rows("dicts", 2e6)),
    Target("wait", "enqueue to hook at 2,000/s: p50", "≤ 30 µs", ("wait",), _waiting("p50", 30e-6)),
    Target("wait", "enqueue to hook at 2,000/s: p99", "≤ 250 µs", ("wait",), _waiting("p99", 250e-6)),
    Target(
        "latency", "latency, a hook burns CPU: p50", "≤ 1.2×", ("quiet", "burn"), _latency("burn", "p50", 1.2)
    ),
    Target(
        "latency", "latency, a hook burns CPU: p99", "≤ 2×", ("quiet", "burn"), _latency("burn", "p99", 2)
    ),
    Target(
        "latency", "latency, a hook sleeps: p50", "≤ 1.2×", ("quiet", "sleep"), _latency("sleep", "p50", 1.2)
    ),
    Target("latency", "latency, a hook sleeps: p99", "≤ 2×", ("quiet", "sleep"), _latency("sleep", "p99", 2)),
    Target(
        "transform", "transform, 16 clients: native rate", "≥ 0.5×", ("native", "transform"), _transform("")
    ),
    Target(
        "transform",
        "the same, each with 10 messages under way",
        "≥ 0.5×",
        ("native-10", "transform-10"),
        _transform("-10"),
    ),
    Target("async", "async hook, no await: CPU", "≤ 1.5 µs", ("coroutine",), _cost("coroutine", 1.5e-6)),
    Target("memory", "memory grows in 10 M calls", "< 5 MiB", ("memory",), _memory),
    Target("startup", "import, start, stop: over the interpreter", "≤ 20 ms", ("startup",), _startup),
    Target("paho", "peer: paho consumer, CPU", "", ("paho",), _paho),
    Target("amqtt", "peer: amqtt with an empty plugin, CPU", "", ("amqtt",), _amqtt),
)
