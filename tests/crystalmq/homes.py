"""Homes of CrystalMQ and MQTTRoute, and extensions as real plugins are written."""

from __future__ import annotations

import textwrap
from pathlib import Path

NEW_BROKER = """\
# The broker
[CONFIG]
PORT_NO = 0
WS_PORT_NO = 0
TLS_ENABLED = FALSE

[UI]
UI_Http_Port = 0
[WEBSOCKET]
WEBSOCKET_PORT = 8081
[WEB_LOGIN_PAGE]
WEB_LOGIN = ENABLED
WEB_USERNAME = operator
WEB_PASSWORD = correct horse
[LOG_HANDLER]
LOG_FILE_PATH = ../log/broker.log
LOG_LEVEL = 2
"""

NEW_STORE = """\
[RELATIONAL_PERSISTENCE]
RELATIONAL_PERSISTENCE_ENABLED = TRUE
[PAYLOAD_TO_DB]
PAYLOAD_TO_DB = ENABLED
[CONFIG]
DB_SERVER = SQLITE
[CUSTOM]
DATA_INTEGRATION = TRUE
INTERCEPT_FILEPATH = ./../extensions/custom_store.py
"""

OLD_STORE = """\
[DATASTORE]
CUSTOMSTORAGE = ENABLED
DATASTORE = CUSTOM
Method Prototype: def handle_Received_Payload(data)
[CUSTOM]
INTERCEPT_FILEPATH = ./../extensions/custom_store.py
"""


class HomeFolder:
    """A home that a test writes."""

    def __init__(self, path: Path, *, old: bool = False) -> None:
        self.path = path
        self.old = old
        for name in ("bin", "conf", "data", "extensions", "lib", "ui/static", "log", "Certificate"):
            (path / name).mkdir(parents=True)
        self.broker(NEW_BROKER)

    def broker(self, text: str) -> None:
        """Write the broker's file."""
        self.write("conf/broker.conf" if self.old else "conf/mqtt.conf", text)

    def add_to_broker(self, text: str) -> None:
        """Add lines to the broker's file."""
        path = self.path / ("conf/broker.conf" if self.old else "conf/mqtt.conf")
        path.write_text(path.read_text() + text)

    def datastore(self, text: str) -> None:
        """Write the data store's file."""
        self.write("conf/data_store.conf" if self.old else "conf/datastore.conf", text)

    def write(self, name: str, text: str) -> Path:
        """Write any file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def extension(self, name: str, text: str) -> Path:
        """Write an extension."""
        return self.write(f"extensions/{name}", text)

    def store(self, text: str) -> Path:
        """Write the store's extension, and switch it on."""
        self.datastore(OLD_STORE if self.old else NEW_STORE)
        return self.extension("custom_store.py", text)

    def authentication(self, text: str) -> Path:
        """Write the file that decides who may connect, and switch it on."""
        if self.old:
            self.add_to_broker("[REMOTEAUTH]\nREMOTEAUTH_ENABLED = YES\n")
            return self.extension("custom_auth.py", text)
        self.add_to_broker("[DEVICE_AUTHENTICATION]\nAUTHENTICATION = CUSTOM\n")
        return self.extension("custom_authentication.py", text)

    @property
    def log(self) -> str:
        """What is in the broker's log."""
        path = self.path / "log/broker.log"
        return path.read_text() if path.exists() else ""
