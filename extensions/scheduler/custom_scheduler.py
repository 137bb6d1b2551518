"""Jobs: a template for HOME/extensions/custom_scheduler.py."""

from __future__ import annotations

import logging

import schedule

log = globals().get("logger_p") or logging.getLogger("custom_scheduler")

ENABLED = True

client = None
"""What publishes: set by the broker before the first job."""


def setclientobj(obj):
    """Take the callable `(user_name, client_id, topic, message, qos)` that publishes."""
    global client
    client = obj["Client_obj"]


def custom_schedules():
    """Say whether jobs run, and which: any form of the library `schedule`."""
    return ENABLED, [
        {"time": schedule.every(30).seconds, "job": heartbeat},
        {"time": schedule.every().day.at("06:30"), "job": report},
    ]


def schedule_conf():
    """Say the same as MQTTRoute asks for it: in minutes."""
    jobs = [{"OnceIn": 1, "methodtocall": heartbeat}, {"OnceIn": 1440, "methodtocall": report}]
    return {"STATUS": "ENABLE" if ENABLED else "DISABLE", "SCHEDULES": jobs}


def heartbeat():
    """Tell everybody that the scheduler runs."""
    if client is not None:
        client("", "scheduler", "scheduler/heartbeat", "alive", 0)


def report():
    """Write your daily job here."""
    log.info("the daily report is due")
