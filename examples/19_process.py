"""Compute for long without holding anybody up: a function in processes of its own, on all cores.

    python examples/19_process.py

    python -c 'import math; print([math.sin(i) for i in range(500)])' | mosquitto_pub -t vibration/pump-3 -s

Such a function stands at the top of a module, and cannot reach the broker: it writes, or is a client itself.
"""

import cmath
import os

from hookmq import Broker, Message

broker = Broker()


def spectrum(samples: list[float]) -> list[float]:
    """The strength of each frequency, the slow way."""
    step = -2j * cmath.pi / len(samples)
    return [
        abs(sum(sample * cmath.exp(step * k * n) for n, sample in enumerate(samples)))
        for k in range(len(samples) // 2)
    ]


@broker.on_message_received("vibration/{machine}", executor="process", workers=2)
def analyse(msg: Message, machine: str) -> None:
    samples = msg.json()
    strengths = spectrum(samples)
    strongest = max(range(1, len(strengths)), key=strengths.__getitem__)
    print(f"{machine}: {strongest} periods in {len(samples)} samples, says process {os.getpid()}", flush=True)


if __name__ == "__main__":
    print(f"the broker is process {os.getpid()}", flush=True)
    broker.run()
