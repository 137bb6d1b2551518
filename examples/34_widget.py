"""A widget that is written in Python, on a dashboard of the broker's own pages.

Run it, open the link that it prints, and put a widget of the kind "Python" on a dashboard. Without one:

    python examples/34_widget.py
    curl localhost:8080/api/v1/widgets/pump
    curl -X POST -H 'X-HookMQ: 1' -H 'Content-Type: application/json' -d '{"value": true}' \
        localhost:8080/api/v1/widgets/pump

The functions are called only while somebody looks at the widget.
"""

import shutil
from typing import Any

from hookmq import Broker

broker = Broker()
state = {"on": False}


@broker.widget("Free disk space", every=10)
def disk() -> str:
    return f"{shutil.disk_usage('/').free / 1e9:.1f} GB"


@broker.widget("Clients and messages", every=2, kind="table")
def traffic() -> dict[str, int]:
    counted = broker.statistics
    return {"clients": counted["clients_connected"], "messages": counted["messages_received"]}


@broker.widget("Pump", every=1)
def pump() -> str:
    return "runs" if state["on"] else "stands still"


@pump.on_action
def switch(value: Any) -> None:
    state["on"] = value in (True, "on")
    broker.publish("pump/command", "start" if state["on"] else "stop", retain=True)


broker.run()
