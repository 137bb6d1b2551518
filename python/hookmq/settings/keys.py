"""Every key of the configuration, its type, its default and its meaning.

``SETTINGS`` is the one list of keys; the flags, the variables, the file and the table in the documentation
are derived from it. ``LISTENER`` are the keys of one entry of ``listeners``, ``BRIDGE`` those of one of
``bridges``, and ``BRIDGE_TOPIC`` those of one of its ``topics``.

>>> next(setting.default for setting in SETTINGS if setting.key == "port")
1883
"""

from __future__ import annotations

from .setting import Setting

__all__ = ["BRIDGE", "BRIDGE_TOPIC", "LISTENER", "SETTINGS"]

KIB, MIB, GIB = 1024, 1024**2, 1024**3
DAY = 86_400
_MAX_U32 = 2**32 - 1

TLS = (
    Setting("tls.cert", "file", None, "Certificate chain of the server, PEM."),
    Setting("tls.key", "file", None, "Its private key, PEM."),
    Setting(
        "tls.client_ca", "file", None, "Certificates that sign clients' certificates; asks clients for one."
    ),
    Setting(
        "tls.client_cert",
        "str",
        "required",
        "Whether a client must show a certificate, where `client_ca` asks for one: `required` or `optional`.",
        choices=("required", "optional"),
    ),
    Setting("tls.crl", "file", None, "Revoked client certificates, PEM."),
    Setting(
        "tls.identity",
        "str",
        "username",
        "What becomes the user name: that of CONNECT (`username`), the certificate's common name (`cn`) or "
        "its whole subject (`dn`).",
        choices=("username", "cn", "dn"),
    ),
    Setting("tls.min_version", "str", "1.2", "Oldest TLS version: 1.2 or 1.3.", choices=("1.2", "1.3")),
)
"""How a listener does TLS, unless it says otherwise."""

ACCESS = (
    Setting("access.users_file", "file", None, "Who may log in with which password."),
    Setting("access.acl_file", "file", None, "Who may do what with which topics."),
)
"""Who gets in by a listener, unless it says otherwise."""

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host", "str", "127.0.0.1", "Address to listen on; `0.0.0.0` or `::` for every interface.", flag=True
    ),
    Setting(
        "port", "port-or-off", 1883, 'MQTT port; 0 picks a free one, `"off"` serves no plain MQTT.', flag=True
    ),
    Setting(
        "http_port", "port-or-off", 8080, 'HTTP port; 0 picks a free one, `"off"` serves no HTTP.', flag=True
    ),
    Setting("http_ports", "ports", (), "Further ports that serve what the HTTP port serves."),
    Setting("http_base", "url-path", "", "Path under which a proxy in front serves the HTTP port."),
    Setting(
        "http_hosts",
        "hosts",
        (),
        'Names by which browsers may call the broker, such as `"broker.example"`, beside `localhost`, '
        'addresses and the machine\'s own; `"*"` is any.',
    ),
    Setting(
        "topic_statistics",
        "bool",
        True,
        "Count the messages of each topic, where HTTP is served: the dashboard's tree of topics.",
    ),
    Setting("dashboard", "bool", True, "Serve the dashboard; the API is there without it."),
    Setting(
        "data_dir", "path", None, "Directory of everything that is kept; none keeps it in memory.", flag=True
    ),
    Setting("allow_anonymous", "bool", False, "Listen on an open address without authentication.", flag=True),
    Setting("listeners", "listeners", (), "Further listeners; see `[[listeners]]`."),
    Setting("bridges", "tables", (), "Links to other brokers; see `[[bridges]]`."),
    Setting("sys_interval", "duration", 10.0, "Time between two reports in `$SYS`; 0 publishes none."),
    Setting("workers", "int", 0, "Network threads; 0 is one per processor core.", maximum=1024),
    # tls
    Setting("tls.port", "port-or-off", None, 'MQTT port with TLS, 8883 by custom; `"off"` serves none.'),
    Setting("tls.http", "bool", False, "Serve the HTTP port with TLS."),
    *TLS,
    # access
    *ACCESS,
    # websocket
    Setting("websocket.path", "str", "/mqtt", "Path of MQTT over WebSocket."),
    Setting(
        "websocket.origins",
        "texts",
        (),
        'Origins whose pages may connect, such as `"https://app.example"`, beside their own; `"*"` is any.',
    ),
    # limits
    Setting(
        "limits.connect_timeout",
        "duration",
        10.0,
        "Time a new connection has to send CONNECT.",
        minimum=0.001,
    ),
    Setting(
        "limits.max_packet_size",
        "size",
        16 * MIB,
        "Largest packet accepted from a client.",
        minimum=64,
        maximum=268_435_460,  # MQTT 5.0, 2.1.4: remaining length of 268,435,455, and a header of 5 bytes
    ),
    Setting(
        "limits.max_connect_size",
        "size",
        64 * KIB,
        "Largest packet accepted before the client is admitted.",
        minimum=64,
        maximum=268_435_460,
    ),
    Setting("limits.max_clients", "int", 100_000, "Connections open at the same time.", minimum=1),
    Setting("limits.max_clients_per_address", "int", 0, "Of them from one IP address; 0 is no bound."),
    Setting("limits.max_clients_per_user", "int", 0, "Of them with one user name; 0 is no bound."),
    Setting("limits.max_half_open", "int", 20_000, "Connections that have not sent CONNECT yet.", minimum=1),
    Setting(
        "limits.max_http_connections",
        "int",
        10_000,
        "Connections to the HTTP port, WebSockets of pages included.",
        minimum=1,
    ),
    Setting("limits.connect_rate", "float", 0.0, "CONNECTs one listener takes in a second; 0 is no bound."),
    Setting(
        "limits.message_rate",
        "float",
        0.0,
        "PUBLISH packets read from one client in a second; 0 is no bound.",
    ),
    Setting("limits.byte_rate", "size", 0, "Bytes read from one client in a second; 0 is no bound."),
    Setting(
        "limits.max_reconnects",
        "int",
        100,
        "Connections of one client identifier that end without DISCONNECT within 10 s before it is refused; "
        "0 is no bound.",
        maximum=_MAX_U32,
    ),
    Setting("limits.jail_time", "duration", 30.0, "How long it is refused then."),
    Setting("limits.max_sessions", "int", 1_000_000, "Sessions, connected or not.", minimum=1),
    Setting("limits.max_user_property_bytes", "size", 256 * KIB, "Bytes of user properties in one packet."),
    Setting(
        "limits.max_inflight",
        "int",
        1000,
        "Messages sent to one client and not yet acknowledged.",
        minimum=1,
        maximum=65_535,
    ),
    Setting(
        "limits.receive_maximum",
        "int",
        1000,
        "Messages one client may send before they are acknowledged.",
        minimum=1,
        maximum=65_535,
    ),
    Setting("limits.max_queued_messages", "int", 100_000, "Messages waiting for one client.", minimum=1),
    Setting("limits.max_queued_bytes", "size", 64 * MIB, "Bytes waiting for one client.", minimum=1),
    Setting(
        "limits.queue_policy",
        "str",
        "refuse",
        "What becomes of a QoS 1 or 2 message for a client whose queue is full: `refuse` it, or `hold` its "
        "publisher until there is room.",
        choices=("refuse", "hold"),
    ),
    Setting("limits.hold_timeout", "duration", 10.0, "How long a publisher is held before it is refused."),
    Setting(
        "limits.max_outbox_bytes", "size", MIB, "Bytes encoded ahead for one connected client.", minimum=1
    ),
    Setting(
        "limits.topic_alias_maximum",
        "int",
        64,
        "Topic aliases one MQTT 5.0 connection may use.",
        maximum=65_535,
    ),
    Setting(
        "limits.max_topic_levels",
        "int",
        201,  # 200 slashes, as many as mosquitto takes
        "Levels of a topic or a topic filter.",
        minimum=1,
        maximum=1_000,  # the trie is walked by recursion, as deep as a topic has levels
    ),
    Setting("limits.max_subscriptions", "int", 100_000, "Subscriptions of one session.", minimum=1),
    Setting(
        "limits.max_session_expiry",
        "duration",
        float(_MAX_U32),
        "Longest time a session outlives its connection; 4294967295 is for ever.",
        maximum=_MAX_U32,
    ),
    Setting("limits.max_retained_messages", "int", 1_000_000, "Retained messages in all."),
    Setting("limits.max_retained_bytes", "size", GIB, "Bytes of retained messages in all."),
    Setting(
        "limits.max_topic_statistics_bytes",
        "size",
        GIB,
        "Bytes of what `topic_statistics` keeps; the topics that are silent for longest make room.",
    ),
    Setting(
        "limits.default_keep_alive",
        "duration",
        0.0,
        "Keep alive of a client that asks for none; 0 leaves it without.",
        maximum=65_535,
    ),
    Setting(
        "limits.max_keep_alive",
        "duration",
        65_535.0,
        "Longest keep alive of an MQTT 5.0 client, which is told; 65535 is no bound.",
        minimum=1,
        maximum=65_535,
    ),
    # hooks
    Setting("hooks.queue_events", "int", 100_000, "Events waiting for one hook.", minimum=1),
    Setting("hooks.queue_bytes", "size", 64 * MIB, "Bytes waiting for one hook.", minimum=1),
    Setting(
        "hooks.decision_timeout",
        "duration",
        5.0,
        "Time a hook has to decide; later than that is a refusal.",
        minimum=0.001,
    ),
    Setting("hooks.decision_threads", "int", 4, "Threads for hooks that decide.", minimum=1, maximum=1024),
    Setting("hooks.page_threads", "int", 4, "Threads for pages (`@broker.route`).", minimum=1, maximum=1024),
    Setting("hooks.page_timeout", "duration", 30.0, "Time a page has to answer.", minimum=0.001),
    Setting("hooks.stop_grace", "duration", 5.0, "Time hooks have to finish when the broker stops."),
    # store
    Setting(
        "store.sync",
        "str",
        "os",
        "What survives a power loss: `os` what the system has written by then, `interval` all but the last "
        "moments, `always` all that was acknowledged.",
        choices=("os", "interval", "always"),
    ),
    Setting(
        "store.interval",
        "duration",
        1.0,
        "With `interval`: how much of the last moments a power loss may cost.",
        minimum=0.001,
    ),
    # history
    Setting("history.enabled", "bool", True, "Keep a history of messages."),
    Setting(
        "history.url",
        "str",
        None,
        "SQLAlchemy URL of the history; none is SQLite in `data_dir`, or in memory.",
    ),
    Setting("history.max_age", "duration", 30.0 * DAY, "Age at which a message is forgotten.", minimum=1),
    Setting("history.max_rows", "int", 10_000_000, "Messages kept; the oldest go first.", minimum=1),
    Setting("history.queue_rows", "int", 200_000, "Messages waiting to be written.", minimum=1),
    Setting("history.queue_bytes", "size", 128 * MIB, "Bytes waiting to be written.", minimum=1),
    # storage
    Setting(
        "storage.url",
        "str",
        None,
        "SQLAlchemy URL of a database for messages, connections and errors; none stores nothing.",
    ),
    Setting("storage.filter", "str", "#", "Messages that are stored."),
    Setting(
        "storage.events",
        "texts",
        ("received", "sent", "connected", "disconnected", "subscribed", "unsubscribed", "error"),
        "What is stored.",
    ),
    Setting(
        "storage.ack",
        "str",
        "received",
        "When a publisher has its acknowledgement: when its message was `received` or is `stored`.",
        choices=("received", "stored"),
    ),
    Setting("storage.prefix", "str", "mqtt_", "What the names of its tables begin with."),
    Setting(
        "storage.max_age",
        "duration",
        None,
        "Age at which what happened is forgotten; none keeps it.",
        minimum=1,
    ),
    Setting(
        "storage.max_rows",
        "int",
        None,
        "Rows of each table; the oldest go first. None keeps them.",
        minimum=1,
    ),
    Setting(
        "storage.spool_bytes", "size", GIB, "Bytes that wait on disk while the database is away.", minimum=1
    ),
    # connectors and authentication services
    Setting("connectors", "tables", (), "Services that messages are sent to; see `[[connectors]]`."),
    Setting(
        "authentication", "tables", (), "Services that are asked who a client is; see `[[authentication]]`."
    ),
    # rules
    Setting("rules", "tables", (), "Rules; see `[[rules]]`."),
    Setting("rules_folder", "path", None, "Folder whose `.sql` files are rules; none reads none."),
    # log
    Setting(
        "log.level",
        "str",
        "info",
        "Least severe message that is logged: debug, info, warning or error.",
        flag=True,
        choices=("debug", "info", "warning", "error"),
    ),
)
"""Every key there is, in the order of the documentation."""

LISTENER: tuple[Setting, ...] = (
    Setting(
        "url",
        "str",
        None,
        "Where it listens: `mqtt://`, `mqtts://`, `ws://` or `wss://` with host and port (0 picks a free "
        "one), or `unix:///path`.",
    ),
    *(
        Setting(one.key.partition(".")[2], one.type, one.default, one.help, choices=one.choices)
        for one in TLS
    ),
    Setting("sni", "table", (), "Further certificates by server name: `{ name = { cert = …, key = … } }`."),
    *(Setting(one.key.partition(".")[2], one.type, one.default, one.help) for one in ACCESS),
    Setting("allow_anonymous", "bool", False, "Let clients without user name in although nobody vouches."),
    Setting("proxy_protocol", "bool", False, "A PROXY header, version 1 or 2, must come first …"),
    Setting("trusted", "texts", (), "… from one of these addresses or networks."),
    Setting("max_clients", "int", 0, "Clients connected by it; 0 is no bound of its own."),
    Setting("max_packet_size", "size", 0, "Largest packet accepted; 0 is no bound of its own."),
    Setting("connect_timeout", "duration", 0.0, "Time to send CONNECT; 0 is `limits.connect_timeout`."),
    Setting("connect_rate", "float", 0.0, "CONNECTs in a second; 0 is `limits.connect_rate`."),
    Setting("message_rate", "float", 0.0, "PUBLISH packets of one client in a second; 0 is the global one."),
    Setting("byte_rate", "size", 0, "Bytes of one client in a second; 0 is the global one."),
    Setting("mode", "str", "0660", "Permissions of a Unix socket's file, octal."),
)
"""The keys of one entry of ``listeners``."""

BRIDGE: tuple[Setting, ...] = (
    Setting("name", "str", None, "What it is called here: in the log, in `$SYS`, by `hookmq bridges`."),
    Setting(
        "url",
        "texts",
        (),
        "Where the other broker is: `mqtt://` or `mqtts://` with host and port. Of several the first that "
        "answers is taken.",
    ),
    Setting("topics", "tables", (), "What it carries; see the next table."),
    Setting(
        "client_id",
        "str",
        None,
        "Client Identifier at the other broker; left out, it is the name of this computer, a dot and `name`.",
    ),
    Setting("username", "str", None, "User name at the other broker."),
    Setting("password", "str", None, "Password at the other broker."),
    Setting("password_file", "file", None, "A file with the password, read for each connection."),
    Setting(
        "protocol",
        "str",
        "5.0",
        "MQTT version; with `5.0` a broker that knows only 3.1.1 gets that.",
        choices=("5.0", "3.1.1"),
    ),
    Setting("try_private", "bool", True, "Say by 3.1.1 that it is a bridge, so that nothing is sent back."),
    Setting("keep_alive", "duration", 60.0, "Keep Alive; 0 for none.", maximum=65_535),
    Setting(
        "max_inflight",
        "int",
        0,
        "QoS 1 and 2 messages under way to the other broker; 0 is what it says by 5.0, and 20 by 3.1.1.",
        maximum=65_535,
    ),
    Setting(
        "session_expiry",
        "duration",
        None,
        "How long the other broker keeps the session while the link is down; none is for ever.",
        maximum=_MAX_U32,
    ),
    Setting(
        "connect_timeout", "duration", 15.0, "Time for a connection, until CONNECT is answered.", minimum=0.1
    ),
    Setting(
        "reconnect_min",
        "duration",
        1.0,
        "Longest wait before the first new try; it doubles with each.",
        minimum=0.01,
        maximum=DAY,
    ),
    Setting("reconnect_max", "duration", 60.0, "Longest wait before any try.", minimum=0.01, maximum=DAY),
    Setting(
        "notify_topic",
        "str",
        None,
        "Topic at the other broker that is a retained `1` while the link is up, else `0`.",
    ),
    Setting(
        "ca_file", "file", None, "Certificates that sign the other broker's, PEM; the system's without it."
    ),
    Setting("cert_file", "file", None, "Certificate chain that is shown to the other broker, PEM."),
    Setting("key_file", "file", None, "Its private key, PEM."),
    Setting("server_name", "str", None, "Name in the other broker's certificate, if not that of the URL."),
    Setting("insecure", "bool", False, "Take any certificate: whoever is in between can read all."),
    Setting("enabled", "bool", True, "Whether the link comes up by itself."),
)
"""The keys of one entry of ``bridges``."""

BRIDGE_TOPIC: tuple[Setting, ...] = (
    Setting(
        "filter",
        "str",
        None,
        "Topic filter that both sides have behind their prefix; left out, the prefixes are whole topics.",
    ),
    Setting(
        "direction",
        "str",
        "out",
        "`out` to the other broker, `in` from there, or `both`.",
        choices=("out", "in", "both"),
    ),
    Setting("qos", "int", 2, "Highest QoS.", maximum=2),
    Setting("local_prefix", "str", None, "What stands before the filter here."),
    Setting("remote_prefix", "str", None, "What stands before the filter at the other broker."),
)
"""The keys of one entry of a bridge's ``topics``."""
