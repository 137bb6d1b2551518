"""Every message that clients publish, into Parquet files: HOME/extensions/custom_store.py."""

from __future__ import annotations

from hookmq.connectors import Parquet
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")

plugin = Plugin(
    Parquet(
        conf.text("PARQUET", "DIRECTORY", "../data/parquet"),
        path=conf.text("PARQUET", "PATH", "%Y/%m/%d"),
        rows=int(conf.text("PARQUET", "ROWS", "100000")),
        seconds=float(conf.text("PARQUET", "SECONDS", "60")),
    ),
    "../data/connectors/parquet",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin writes it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
