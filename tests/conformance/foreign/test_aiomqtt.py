"""The tests in aiomqtt's source package, run against a broker of ours."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import trustme

from hookmq import Broker

from .suite import HOST, Contradiction, Outcome, Suite, check, port_of

SUITE = Suite("aiomqtt", "pyproject.toml")

CONTRADICTIONS = {
    "test_client.py::test_messages_view_len": Contradiction(
        "MQTT-4.3.3-2",
        "With PUBREC the receiver has taken the message over, and may deliver it before PUBREL comes (method"
        " B of section 4.3.3). The test publishes to itself and then, its publish done, waits for a message"
        " that is still to come; ours has come already.",
        "TimeoutError",
    ),
}

# It gives the broker 0 seconds for the CONNACK and expects that it has not come when the client looks.
RACES = {
    "test_client.py::test_aenter_state_reset_connack_timeout": "DID NOT RAISE",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    directory = tmp_path_factory.mktemp("aiomqtt")
    (directory / "tests").mkdir()
    authority = trustme.CA()
    # Where the tests look for the certificate of the public broker that they know.
    authority.cert_pem.write_to_path(directory / "tests" / "mosquitto.org.crt")
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    identity = {"cert": str(directory / "server.pem"), "key": str(directory / "server.pem")}
    broker = Broker(
        port=0,
        http_port=None,
        tls={"port": 0, **identity},
        websocket={"path": "/"},
        listeners=["ws://127.0.0.1:0"],
    )

    @broker.authenticate
    def known(client) -> bool:
        return client.username != "invalid"

    with broker:
        ports = {1883: broker.port, 8883: port_of(broker, "mqtts"), 8080: port_of(broker, "ws")}
        return SUITE.run(ports, directory, {})


@pytest.mark.parametrize("name", SUITE.names)
def test_a_test_of_aiomqtt(outcomes, name):
    check(name, outcomes[name], CONTRADICTIONS, RACES)


def test_every_contradiction_is_one_of_their_tests():
    assert set(CONTRADICTIONS) | set(RACES) <= set(SUITE.names)
