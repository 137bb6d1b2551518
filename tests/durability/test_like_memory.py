"""A broker with a store behaves like one without: the protocol tests of what it keeps, once more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROTOCOL = Path(__file__).parents[1] / "protocol"
FILES = (
    "test_expiry.py",
    "test_publish_qos.py",
    "test_redelivery.py",
    "test_retained.py",
    "test_session.py",
    "test_shared.py",
    "test_subscribe.py",
    "test_will.py",
)


@pytest.mark.timeout(300)
def test_the_protocol_with_a_store() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(str(PROTOCOL / file) for file in FILES)],
        cwd=PROTOCOL.parents[1],
        env={**os.environ, "HOOKMQ_TEST_DURABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout or "100%" in done.stdout
