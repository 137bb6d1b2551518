"""See every message: a template for HOME/extensions/custom_store.py.

A hook takes the message and returns; the work is done by a thread behind a bounded queue, so a slow one costs
messages of this file, which are counted and told, and never the broker's pace.
"""

from __future__ import annotations

import logging
import queue
import threading

log = globals().get("logger_p") or logging.getLogger("custom_store")
waiting: queue.Queue[dict] = queue.Queue(maxsize=100_000)
lost = 0

client = None
"""What publishes: set by the broker before the first message."""


def setclientobj(obj):
    """Take the callable `(user_name, client_id, topic, message, qos)` that publishes."""
    global client
    client = obj["Client_obj"]


def on_message_received_hook(data):
    """Take what a client published: sender, topic, message, unixtime, datetime."""
    put({"event": "received", **data})


def on_message_sent_hook(data):
    """Take what was sent to a subscriber: the same, sent_packetid, retain and qos."""
    put({"event": "sent", **data})


# The names of MQTTRoute.
handle_Received_Payload = on_message_received_hook
handle_Sent_Payload = on_message_sent_hook


def put(data):
    """Queue a message for the thread."""
    global lost
    try:
        waiting.put_nowait(data)
    except queue.Full:
        lost += 1
        if lost & (lost - 1) == 0:
            log.warning("too much waits for custom_store.py: %d messages were left out", lost)


def work():
    """Call `handle` with each message, and go on when it fails."""
    while True:
        data = waiting.get()
        try:
            handle(data)
        except Exception:
            log.exception("custom_store.py failed on a message of %s", data.get("topic"))
        finally:
            waiting.task_done()


def handle(data):
    """Write your code here: store it, look at it, publish with `client("", "store", topic, text, 0)`."""
    what = [data[key] for key in ("event", "topic", "sender", "datetime", "message")]
    log.info("%s %s from %s at %s: %s", *what)


threading.Thread(target=work, name="custom_store", daemon=True).start()
