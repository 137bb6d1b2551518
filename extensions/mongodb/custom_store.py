"""Every message that clients publish, into MongoDB: HOME/extensions/custom_store.py."""

from __future__ import annotations

from hookmq.connectors import MongoDB
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
host, port = conf.address("MONGO", 27017)
username, password = conf.login()

plugin = Plugin(
    MongoDB(
        f"mongodb://{host}:{port}",
        database=conf.text("MONGO", "DB_NAME", "hookmq"),
        collection=conf.text("MONGO", "COLLECTION", "mqttroute"),
        username=username,
        password=password,
        shape="crystalmq",
    ),
    "../data/connectors/mongodb",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin writes it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
