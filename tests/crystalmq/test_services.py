"""What a home's configuration switches on besides extensions: TLS, and Elasticsearch that is built in."""

from __future__ import annotations

import json
import socket
import ssl

import trustme

from ..api.helpers import Device, eventually
from ..connectors.search_server import SearchServer
from ..protocol.packets import V5, Connack, Connect, decode


def test_tls(home, run_home):
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(home.path / "Certificate/server.key")
    issued.cert_chain_pems[0].write_to_path(home.path / "Certificate/server.crt")
    authority.cert_pem.write_to_path(home.path / "Certificate/root.crt")
    home.broker(
        "[CONFIG]\nPORT_NO = 0\nWS_PORT_NO = 0\nTLS_ENABLED = TRUE\nTLS_PORT_NO = 0\nWSS_PORT_NO = 0\n"
        "SERVER_CERTIFICATE = server.crt\nSERVER_KEY = ./../Certificate/server.key\n"
        "CA_CERTIFICATE = ./../Certificate/root.crt\n[UI]\nUI_Http_Port = OFF\n"
    )
    broker = run_home(home, http_ports=[])
    ports = {listener.url.partition(":")[0]: listener.port for listener in broker.listeners}
    assert ports.keys() == {"mqtt", "mqtts", "ws", "wss"}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    # A client that shows no certificate is let in, as the original does it.
    with (
        socket.create_connection(("127.0.0.1", ports["mqtts"]), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as one,
    ):
        one.sendall(Connect("tank").encode(V5))
        head = one.recv(2)
        assert isinstance(decode(head[0], one.recv(head[1]), V5), Connack)


def test_elasticsearch_that_is_built_in(home, run_home):
    """Received and sent payloads wait for it while it is away."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    home.datastore(
        "[DATASTORE]\nCUSTOMSTORAGE = ENABLED\nDATASTORE = ELASTIC\n"
        f"[ELASTIC]\nPORT = {port}\nINDEX_NAME = plant\nBULK_INSERT_TIMING = 0.1\n"
    )
    broker = run_home(home)
    names = {connector.name for connector in broker.connectors}
    assert names == {"storage", "elastic"}
    with Device(broker, "pump") as device:
        device.subscribe("a", 1)
        device.publish("a", json.dumps({"level": 42}))
        device.receive()

        def elastic():
            return next(one for one in broker.connectors if one.name == "elastic")

        eventually(lambda: elastic().queued + elastic().spooled >= 2 and "refused" in elastic().reason)


def test_elasticsearch_that_is_built_in_and_there(home, run_home):
    """What was received and what was sent, in the index of the home, with the original's keys."""
    with SearchServer(9) as server:
        home.datastore(
            "[DATASTORE]\nCUSTOMSTORAGE = ENABLED\nDATASTORE = ELASTIC\n"
            f"[ELASTIC]\nPORT = {server.port}\nINDEX_NAME = plant\nBULK_INSERT_TIMING = 0.1\n"
        )
        broker = run_home(home)
        with Device(broker, "pump") as device:
            device.subscribe("a", 1)
            device.publish("a", "42")
            device.receive()
            eventually(lambda: len(server.indices.get("plant", ())) == 2)
        broker.stop()
        stored = sorted(server.indices["plant"].values(), key=len)
        assert server.faults == []
    assert [one["message"] for one in stored] == ["42", "42"]
    keys = {"sender", "topic", "message", "unixtime", "datetime", "timestamp"}
    assert set(stored[0]) == keys | {"@timestamp"}
    assert stored[1]["sent_packetid"] > 0 and (stored[1]["qos"], stored[1]["retain"]) == (1, 0)
