"""Every message that clients publish, to an address of the web: HOME/extensions/custom_store.py."""

from __future__ import annotations

import os

from hookmq.connectors import Webhook
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
username, password = conf.login()

plugin = Plugin(
    Webhook(
        conf.text("WEBHOOK", "URL", "http://127.0.0.1:8000/messages"),
        method=conf.text("WEBHOOK", "METHOD", "POST"),
        secret=os.environ.get(conf.text("WEBHOOK", "SECRET_ENV", "-")),
        username=username,
        password=password,
        shape="crystalmq",
    ),
    "../data/connectors/webhook",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin sends it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
