"""Every message that clients publish, into InfluxDB: HOME/extensions/custom_store.py."""

from __future__ import annotations

import os

from hookmq.connectors import InfluxDB
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
host, port = conf.address("INFLUXDB", 8086)
username, password = conf.login()

plugin = Plugin(
    InfluxDB(
        f"http://{host}:{port}",
        database=conf.text("INFLUXDB", "DATABASE") or None,
        bucket=conf.text("INFLUXDB", "BUCKET") or None,
        org=conf.text("INFLUXDB", "ORG") or None,
        token=os.environ.get(conf.text("INFLUXDB", "TOKEN_ENV", "-")),
        username=username,
        password=password,
        measurement=conf.text("INFLUXDB", "MEASUREMENT", "{topic[0]}"),
    ),
    "../data/connectors/influxdb",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin writes it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
