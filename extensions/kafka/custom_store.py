"""Every message that clients publish, into Kafka: HOME/extensions/custom_store.py."""

from __future__ import annotations

from hookmq.connectors import Kafka
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
username, password = conf.login()

plugin = Plugin(
    Kafka(
        conf.text("KAFKA", "SERVERS", "127.0.0.1:9092"),
        topic=conf.text("KAFKA", "TOPIC", "{topic}"),
        key=conf.text("KAFKA", "KEY", "{client_id}"),
        username=username,
        password=password,
    ),
    "../data/connectors/kafka",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin produces it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
