"""Every message that clients publish, into Redis: HOME/extensions/custom_store.py."""

from __future__ import annotations

from hookmq.connectors import Redis
from hookmq.connectors.plugin import Plugin, PluginConf

conf = PluginConf("../extensions/plugin.conf")
host, port = conf.address("REDIS", 6379)
username, password = conf.login()

plugin = Plugin(
    Redis(
        f"redis://{host}:{port}",
        key=conf.text("REDIS", "KEY", "hookmq:{id}"),
        expire=int(conf.text("REDIS", "EXPIRE", "0")) or None,
        cluster=conf.flag("REDIS", "CLUSTER"),
        username=username,
        password=password,
        shape="crystalmq",
    ),
    "../data/connectors/redis",
    log=conf.log(),
)


def on_message_received_hook(data):
    """Take a message; a thread of the plugin writes it."""
    plugin.received(data)


handle_Received_Payload = on_message_received_hook
