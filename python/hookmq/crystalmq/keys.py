"""Every key of the configuration files, of both generations, with its default."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BROKER", "DATASTORE", "FILES", "NO", "UNSUPPORTED", "YES"]

FILES: Mapping[str, tuple[str, str]] = {
    "broker": ("mqtt.conf", "broker.conf"),
    "datastore": ("datastore.conf", "data_store.conf"),
}
"""What each file is called by CrystalMQ, and by MQTTRoute before."""

YES = frozenset({"true", "yes", "enabled", "enable", "on", "1"})
NO = frozenset({"false", "no", "disabled", "disable", "off", "0"})

BROKER: Mapping[str, Mapping[str, str]] = {
    "CONFIG": {
        "PORT_NO": "1883",
        "WS_PORT_NO": "10443",
        "TLS_ENABLED": "FALSE",
        "TLS_PORT_NO": "8883",
        "WSS_PORT_NO": "11443",
        "SERVER_CERTIFICATE": "",
        "SERVER_KEY": "",
        "CA_CERTIFICATE": "",
        "BINARY_SUPPORT": "TRUE",
    },
    "MQTT": {"CLIENTID_PREFIX": "", "CLEAR_SESSION": "DEFAULT"},
    "UI": {"UI_Http_Port": "8080", "LIST_API_CLIENTS": "FALSE"},
    "WEBSOCKET": {"WEBSOCKET_PORT": "8081"},
    "WEB_LOGIN_PAGE": {"WEB_LOGIN": "ENABLED", "WEB_USERNAME": "admin", "WEB_PASSWORD": "admin"},
    "SYS_TOPIC": {"SYSTOPIC": "DISABLED", "SYSTOPIC_INTERVAL": "3"},
    "LOG_HANDLER": {
        "LOG_FILE_PATH": "../log/broker.log",
        "LOG_LEVEL": "2",
        "MAX_FILE_SIZE": "3",
        "BACKUP_FILE_COUNT": "10",
    },
    "DEVICE_AUTHENTICATION": {
        "AUTHENTICATION": "DISABLED",
        "CUSTOM_AUTHENTICATION_FILEPATH": "./../extensions/custom_authentication.py",
    },
    # MQTTRoute's way to say the same.
    "AUTHENTICATION": {"AUTHENTICATION_ENABLED": "NO"},
    "REMOTEAUTH": {"REMOTEAUTH_ENABLED": "NO", "INTERCEPT_FILEPATH": "./../extensions/custom_auth.py"},
}

DATASTORE: Mapping[str, Mapping[str, str]] = {
    "RELATIONAL_PERSISTENCE": {"RELATIONAL_PERSISTENCE_ENABLED": "TRUE"},
    "PAYLOAD_TO_DB": {"PAYLOAD_TO_DB": "ENABLED"},
    "CONFIG": {"DB_SERVER": "SQLITE"},
    "SQLITE": {"SQLITE_DB": "hookmq.db"},
    "MYSQL": {
        "DBHOST": "127.0.0.1",
        "DBPORT": "3306",
        "MYSQL_DB": "",
        "MYSQL_USER": "",
        "MYSQL_PASSWORD": "",
    },
    "POSTGRES": {
        "PSQLHOST": "127.0.0.1",
        "PSQLPORT": "5432",
        "PSQL_DB": "",
        "PSQL_USER": "",
        "PSQL_PASSWORD": "",
    },
    "MSSQL": {
        "DRIVER": "",
        "SERVER_NAME": "127.0.0.1",
        "DBPORT": "1434",
        "MSSQL_DB": "",
        "MSSQL_USER": "",
        "MSSQL_PASSWORD": "",
    },
    "DATASTORE": {"CUSTOMSTORAGE": "DISABLED", "DATASTORE": "CUSTOM"},
    "ELASTIC": {
        "HOSTNAME": "127.0.0.1",
        "PORT": "9200",
        "INDEX_NAME": "mqtt",
        "BULK_INSERT_TIMING": "2",
    },
    "CUSTOM": {"DATA_INTEGRATION": "FALSE", "INTERCEPT_FILEPATH": "./../extensions/custom_store.py"},
}

UNSUPPORTED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("CONFIG", "BINARY_SUPPORT"): ("payloads of any bytes are always taken", "FALSE"),
    ("MQTT", "CLIENTID_PREFIX"): ("identifiers that the broker gives have no prefix", ""),
    ("MQTT", "CLEAR_SESSION"): ("sessions last as long as their clients ask for", "DISABLED"),
    ("MSSQL", "DRIVER"): ("SQL Server is reached by the driver of hookmq[mssql]", ""),
    ("UI", "LIST_API_CLIENTS"): ("there is no list of API clients", "TRUE"),
}
"""Keys without effect: what holds instead, and the value that asks for something else (empty: any)."""
