"""Rules without a function of Python: an alarm that does not flicker, a silence, an average of each second.

Run it, in another terminal:

    python examples/32_rules.py
    hookmq sub -v -t 'alarm/#' -t 'silent/#' -t 'mean/#'
    hookmq pub -t sensors/roof/temp -m '{"temp": 31}'

`hookmq rules` lists them, `hookmq rules show alarm` tells what one has done, and
`hookmq rules test alarm` shows step by step what it makes of the newest message.
"""

from hookmq import Broker

broker = Broker()

# On at 30, off below 28: one message when it begins.
broker.add_rule(
    "alarm",
    """
    SELECT topic(2) AS place, payload.temp AS t FROM "sensors/+/temp"
    WHERE became(hysteresis(payload.temp, 30, 28))
    """,
    [{"kind": "retain", "topic": "alarm/${place}", "payload": "${t} degrees, says ${clientid}"}],
)

# Each sensor that has been silent for two seconds, once.
broker.add_rule(
    "silent",
    """SELECT topic(2) AS place FROM "sensors/+/temp" GROUP BY topic ABSENT FOR '2s'""",
    [{"kind": "republish", "topic": "silent/${place}"}, {"kind": "log", "text": "${place} is silent"}],
)

broker.add_rule(
    "mean",
    """
    SELECT topic(2) AS place, avg(payload.temp) AS mean, count(*) AS n FROM "sensors/+/temp"
    GROUP BY topic, tumbling('1s')
    """,
    [{"kind": "republish", "topic": "mean/${place}"}],
)

broker.run()
