"""Every packet type in every version with every field wrong, while others go on undisturbed."""

from __future__ import annotations

import pytest

from .mutation import cases
from .server import eventually, mib
from .shape import TYPES
from .swarm import Swarm

CASES = 100_000  # some 64,000 wrong fields, and as many of several edits at once as are needed
GROWTH = 64 << 20  # bytes by which the broker's memory may grow; sessions and retained wills are among them
REST = 2  # clients that stay: the two who talk


def test_every_malformed_packet_gets_the_right_answer_and_disturbs_nobody(server, undisturbed, figures, seed):
    all_cases = cases(seed, CASES)
    assert len(all_cases) >= CASES
    broker = server()
    with undisturbed(broker.port) as bystanders:
        Swarm(broker.port).run(all_cases[:2000])  # memory that is taken once and kept
        memory = broker.memory()
        swarm = Swarm(broker.port)
        before = broker.statistics()
        result = swarm.run(all_cases)
        growth = broker.memory() - memory
        after = eventually(broker.statistics, lambda found: found["clients_connected"] == REST)
    figures(
        f"malformed packets: HOOKMQ_TEST_SEED={seed}: {result.cases:,} cases, {len(result.wrong)} wrong "
        f"outcomes, {broker.panics()} panics, {bystanders}"
    )
    figures("  of " + ", ".join(f"{name} {result.types[name]:,}" for name in TYPES.values()))
    figures(
        "  expected: "
        + ", ".join(f"{end} {count:,}" for end, count in sorted(result.ends.items()))
        + f"; left open by the specification: {result.open:,}; slowest answer "
        f"{result.slowest * 1000:.0f} ms; memory grew by {mib(growth)}"
    )
    if result.wrong:
        pytest.fail(f"HOOKMQ_TEST_SEED={seed}\n{result.complaints()}")
    assert broker.panics() == 0
    assert growth < GROWTH
    counted = {name: after[name] - before[name] for name in ("connects", "protocol_errors")}
    assert result.accepted <= counted["connects"] <= result.accepted + result.open
    assert result.errors <= counted["protocol_errors"] <= result.errors + result.open
