"""Every message, received and sent, into Elasticsearch: HOME/extensions/custom_store.py."""

from __future__ import annotations

from hookmq.connectors import Elasticsearch
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
host, port = conf.address("ELASTIC", 9200)
username, password = conf.login()

plugin = Plugin(
    Elasticsearch(
        f"http://{host}:{port}",
        index=conf.text("ELASTIC", "INDEX_NAME", "mqtt"),
        username=username,
        password=password,
        shape="crystalmq",
        batch_delay=float(conf.text("ELASTIC", "BULK_INSERT_TIMING", "2")),
    ),
    "../data/connectors/elasticsearch",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take what a client published; a thread of the plugin writes it."""
    plugin.received(data)


def on_message_sent_hook(data):
    """Take what was sent to a subscriber."""
    plugin.sent(data)


handle_Received_Payload = on_message_received_hook
handle_Sent_Payload = on_message_sent_hook
