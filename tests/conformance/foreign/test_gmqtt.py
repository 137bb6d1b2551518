"""The tests in gmqtt's source package, run against a broker of ours."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import trustme

from hookmq import Broker

from .suite import HOST, Contradiction, Outcome, Suite, check, port_of

SUITE = Suite("gmqtt", "setup.cfg")

CONTRADICTIONS = {
    "test_mqtt5.py::test_assigned_clientid": Contradiction(
        "MQTT-3.2.2-16",
        "The server assigns a client identifier when CONNECT has none. The test wants one assigned, but gmqtt"
        " makes up an identifier and sends it.",
        "KeyError: 'assigned_client_identifier'",
    ),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    directory = tmp_path_factory.mktemp("gmqtt")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    identity = {"cert": str(directory / "server.pem"), "key": str(directory / "server.pem")}
    with Broker(port=0, http_port=None, tls={"port": 0, **identity}) as broker:
        ports = {1883: broker.port, 8883: port_of(broker, "mqtts")}
        environment = {"HOST": HOST, "SSL_CERT_FILE": str(directory / "ca.pem")}
        return SUITE.run(ports, directory, environment)


@pytest.mark.parametrize("name", SUITE.names)
def test_a_test_of_gmqtt(outcomes, name):
    check(name, outcomes[name], CONTRADICTIONS)


def test_every_contradiction_is_one_of_their_tests():
    assert set(CONTRADICTIONS) <= set(SUITE.names)
