"""Find what is unusual in the flow of a water pipe, with scikit-learn, while it flows.

    pip install scikit-learn paho-mqtt rich
    python examples/18_anomaly.py

replays two months of a real pipe (replay.py, a client of its own) through the broker. An isolation forest
learns from the first ten days and judges every reading after them. Each that it finds unusual is published as
an alert.
"""

import subprocess
import sys
from pathlib import Path

from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]

from hookmq import Broker, Message

broker = Broker(port=0, http_port=None)

TEN_DAYS = 240  # readings, one an hour

waiting: list[tuple[str, float]] = []  # readings that were not judged yet
forest = IsolationForest(random_state=0)
learned = False


@broker.on_batch("plant/north/flow", max_delay=0.1)
def judge(messages: list[Message]) -> None:
    global learned
    waiting.extend((reading["time"], reading["flow"]) for reading in (msg.json() for msg in messages))
    if not learned and len(waiting) >= TEN_DAYS:
        forest.fit([[flow] for _, flow in waiting[:TEN_DAYS]])
        del waiting[:TEN_DAYS]
        learned = True
    if learned and waiting:
        # Many at a time, because a call costs more than a reading. Each is judged by itself, so it does not
        # matter which ones come together.
        verdicts = forest.predict([[flow] for _, flow in waiting])
        for (time, flow), verdict in zip(waiting, verdicts, strict=True):
            if verdict == -1:
                broker.publish("plant/north/anomaly", {"time": time, "flow": flow}, qos=1)
        waiting.clear()


if __name__ == "__main__":
    with broker:
        replay = Path(__file__).with_name("replay.py")
        subprocess.run([sys.executable, str(replay), f"--port={broker.port}"], check=True)
        broker.wait_for_hooks(60)
        alerts = broker.history("plant/north/anomaly")
        for row in alerts:
            print(f"{row.json()['time']}  {row.json()['flow']:6.2f} l/s")
        print(f"{alerts.count()} anomalies")
