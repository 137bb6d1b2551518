"""A rule with Python where it helps: it calls one function, and its results go to another.

Run it, in another terminal:

    python examples/33_rule_python.py
    hookmq pub -t sensors/roof/climate -m '{"temp": 21, "humidity": 90}'

What the rule does not select costs no Python. `http://127.0.0.1:8080/rules` tells what it has counted.
"""

from typing import Any

from hookmq import Broker

broker = Broker()


@broker.rule_function
def dew_point(temp: float, humidity: float) -> float:
    return temp - (100 - humidity) / 5


@broker.rule(
    """
    SELECT topic(2) AS place, payload.temp AS t, dew_point(payload.temp, payload.humidity) AS dew
    FROM "sensors/+/climate"
    WHERE payload.humidity > 60 AND t - dew < 3
    """
)
def damp(row: dict[str, Any], source: dict[str, Any]) -> None:
    print(f"{row['place']} is damp: {row['t']} degrees, dew at {row['dew']}, says {source['clientid']}")


@broker.route("/rules")
def rules() -> dict[str, Any]:
    return {
        name: {"matched": rule.info().matched, "results": rule.info().results}
        for name, rule in broker.rules.items()
    }


broker.run()
