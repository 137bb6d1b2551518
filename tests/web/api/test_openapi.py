"""The API is what `/api/openapi.json` says: schemathesis asks a running broker all that it can think of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq import api_token

from .site import publish, site_of

HERE = Path(__file__).parent
EXAMPLES = 10
"""Requests of each operation that are made at random, beside those of its limits."""

SECONDS = 45
"""After which no more are made up."""


@pytest.mark.timeout(300)
def test_the_broker_keeps_to_its_description(
    tmp_path: Path, seed: int, figures: Callable[[str], None]
) -> None:
    """All checks of schemathesis, with an account, so that who shows no token is nobody."""
    seed %= 2**31
    with site_of(tmp_path) as site:
        site.do(
            "POST", "accounts", {"name": "root", "password": "correct horse", "role": "admin"}, status=201
        )
        site.token = api_token.read(tmp_path / "data" / "api-token")
        publish(site, ("tank/7/level", b'{"level": 42}'), ("tank/8/level", b"not json"))
        command = [
            Path(sys.executable).with_name("schemathesis"),
            "--config-file",
            HERE / "schemathesis.toml",
        ]
        command += ["run", f"{site.url}/api/openapi.json", "-H", f"Authorization: Bearer {site.token}"]
        command += ["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"]
        command += [
            "--max-time",
            str(SECONDS),
            "-n",
            str(EXAMPLES),
            "--seed",
            str(seed),
            "--no-color",
            "--suppress-health-check",
            "all",
        ]
        # Failed logins are throttled, which is tested where logins are.
        command += ["--exclude-path", "/api/v1/session"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert site.get("session")["user"]["name"] == "local", "the broker lives"
    assert done.returncode == 0, f"HOOKMQ_TEST_SEED={seed}\n{done.stdout[-30_000:]}{done.stderr[-5000:]}"
    tested = re.search(r"Tested: (\d+)", done.stdout)
    cases = re.search(r"(\d+) generated", done.stdout)
    assert tested and cases and int(tested[1]) > 60
    figures(f"schemathesis: {tested[1]} operations, {cases[1]} requests, seed {seed}")
