"""What setters hand over: the web socket object, a cursor, an Elasticsearch client, what publishes."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hookmq import HookMQError
from hookmq.crystalmq.cursor import Cursor

from ..api.asgi_apps import browser
from ..api.helpers import Device, eventually
from .test_store import WRITE, seen

SETTERS = """
    def setwebsocketport(conf):
        global web_socket
        web_socket = conf["websocket"]

    def setsqlconnector(conf):
        global db_cursor
        db_cursor = conf["sql"]

    def setelasticconnector(conf):
        global elastic_search
        elastic_search = conf["elastic"]

    def setclientobj(obj):
        global Client_publish
        Client_publish = obj["Client_obj"]
"""


def test_the_cursor_is_on_the_database_of_the_home(home, run_home):
    home.store(
        WRITE
        + SETTERS
        + """
    def on_message_received_hook(data):
        db_cursor.execute("CREATE TABLE IF NOT EXISTS mine (topic TEXT, message TEXT)")
        db_cursor.execute("INSERT INTO mine VALUES (?, ?)", (data["topic"], data["message"]))
        db_cursor.connection.commit()
        db_cursor.execute("SELECT COUNT(*), MAX(message) FROM mine")
        note("rows", [list(row) for row in db_cursor.fetchall()])
    """
    )
    broker = run_home(home)
    with Device(broker, "pump") as device:
        device.publish("a", "1")
        device.publish("a", "2")
        assert [rows for _, rows in seen(home, 2)] == [[[1, "1"]], [[2, "2"]]]
    broker.stop()
    with sqlite3.connect(home.path / "data/hookmq.db") as database:
        assert database.execute("SELECT topic, message FROM mine ORDER BY message").fetchall() == [
            ("a", "1"),
            ("a", "2"),
        ]
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        stored = database.execute("SELECT topic FROM mqtt_received").fetchall()
    database.close()
    assert stored == [("a",), ("a",)], tables


def test_threads_share_a_cursor(tmp_path):
    cursor = Cursor(f"sqlite:///{tmp_path / 'shared.db'}")
    cursor.execute("CREATE TABLE numbers (thread INTEGER, number INTEGER)")

    def work(thread):
        for number in range(50):
            cursor.execute("INSERT INTO numbers VALUES (?, ?)", (thread, number))
            cursor.execute("SELECT number FROM numbers WHERE thread = ?", (thread,))
            assert cursor.fetchall() == [(n,) for n in range(number + 1)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert cursor.execute("SELECT COUNT(*) FROM numbers").fetchone() == (200,)
    cursor.executemany("INSERT INTO numbers VALUES (?, ?)", [(9, 1), (9, 2), (9, 3)])
    assert cursor.rowcount == 3
    cursor.execute("SELECT number FROM numbers WHERE thread = 9 ORDER BY number")
    assert [column[0] for column in cursor.description] == ["number"]
    assert (cursor.fetchone(), cursor.fetchmany(1), list(cursor)) == ((1,), [(2,)], [(3,)])
    assert cursor.fetchone() is None
    with pytest.raises(sqlite3.OperationalError):
        cursor.execute("SELECT * FROM nothing")
    # A statement that failed leaves nothing locked; a connection that was closed is made anew.
    cursor.close()
    assert cursor.execute("SELECT 1").fetchone() == (1,)
    cursor.close()


def test_a_home_without_a_database_has_no_cursor():
    with pytest.raises(HookMQError, match="RELATIONAL_PERSISTENCE_ENABLED"):
        Cursor(None).execute("SELECT 1")


class _Search(http.server.BaseHTTPRequestHandler):
    """As much of an Elasticsearch as a client asks when it indexes a document."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.documents.append((self.path, json.loads(body)))
        answer = b'{"result": "created", "_shards": {}, "_index": "own", "_id": "7", "_version": 1}'
        self.send_response(201)
        for name, value in (
            ("X-Elastic-Product", "Elasticsearch"),
            ("Content-Type", self.headers["Accept"].partition(",")[0]),
            ("Content-Length", str(len(answer))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def search():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Search)
    server.documents = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_elasticsearch_client(home, run_home, search):
    home.store(
        WRITE
        + SETTERS
        + """
    def on_message_received_hook(data):
        elastic_search.index(index="own", id="7", document={"topic": data["topic"]})
        note("indexed", 1)
    """
    )
    home.datastore(
        (home.path / "conf/datastore.conf").read_text() + f"[ELASTIC]\nPORT = {search.server_port}\n"
    )
    broker = run_home(home)
    with Device(broker) as device:
        device.publish("a")
        seen(home, 1)
    assert search.documents == [("/own/_doc/7", {"topic": "a"})]


def test_publishing_before_and_after_the_broker_runs(home, run_home):
    home.store(
        SETTERS
        + """
    import threading

    def setclientobj(obj):
        global publish
        publish = obj["Client_obj"]
        publish("user", "store", "early", "while it is loaded", 1)

    def on_message_received_hook(data):
        publish("user", "store", "bytes", b"\\xff", 0)
        publish("user", "store", "no/+/topic", "text", 0)
        publish("user", "store", "number", 42, "1")
    """
    )
    broker = run_home(home, start=False)
    keep = broker.on_message_sent("#")(lambda message: None)
    assert keep is not None
    early = []
    broker.on_startup(lambda: early.append(next(iter(broker.history("early"))).payload), priority=-1)
    broker.start()
    assert early == [b"while it is loaded"]
    with Device(broker, "reader") as reader:
        reader.subscribe("bytes", 0)
        reader.subscribe("number", 1)
        reader.publish("a")
        assert {reader.receive().payload, reader.receive().payload} == {b"\xff", b"42"}
    import custom_store

    broker.stop()
    assert "an extension could not publish to 'no/+/topic' for store: ValueError" in home.log
    custom_store.publish("user", "late", "late", "text", 0)  # is logged, and raises nothing


def test_pages_are_sent_what_an_extension_sends(home, run_home):
    home.store(
        SETTERS
        + """
    import json

    def on_message_received_hook(data):
        web_socket.send_message_to_all(json.dumps({"own": data["message"]}))
        web_socket.send_message_to_all(json.dumps({"own": "bytes"}).encode())
        web_socket.send_message_to_all(b"\\xff")
        web_socket.send_message_to_all({1, 2})
    """
    )
    broker = run_home(home)
    with browser(broker, "/") as one, browser(broker, "/ws") as other, Device(broker) as device:
        for page in (one, other):
            page.send("routepublish")
        eventually(lambda: len(broker.websocket("/")) + len(broker.websocket("/ws")) == 2)
        device.publish("a", "text")

        def own(page):
            found = []
            while len(found) < 3:
                kind, data = page.read_frame()
                if kind == 2 or b'"own"' in data:
                    found.append((kind, data))
            return found

        expected = [(1, b'{"own": "text"}'), (1, b'{"own": "bytes"}'), (2, b"\xff")]
        assert own(one) == own(other) == expected
    broker.stop()
    assert "a message for pages cannot be sent" in home.log
