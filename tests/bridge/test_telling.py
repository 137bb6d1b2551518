"""What is told of bridges: by the command line, the API, the banner, the log."""

from __future__ import annotations

import http.client
import json
from contextlib import closing

import pytest

from hookmq.banner import BannerInfo, render
from hookmq.cli import main

from ..hardening.server import eventually
from ..servers.process import free_port
from .links import bridge, linked, stands, told

OUT = {"filter": "#", "direction": "out"}


@pytest.fixture
def broker(broker_factory, mosquitto):
    made = broker_factory(http_port=0, bridges=[bridge(mosquitto.url, OUT)])
    linked(made)
    return made


def command(broker, *arguments: str) -> int:
    return main(["bridges", *arguments, "--url", f"http://127.0.0.1:{broker.http_port}"])


def test_the_command_lists_bridges(broker, capsys, mosquitto):
    broker.publish("a", b"1", qos=1)
    eventually(lambda: told(broker).messages_sent, lambda count: count == 1)
    assert command(broker) == 0
    text = capsys.readouterr().out
    assert "other" in text and "connected" in text and f"127.0.0.1:{mosquitto.port}" in text
    assert command(broker, "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["items"]
    assert (one["name"], one["state"], one["messages_sent"]) == ("other", "connected", 1)


def test_the_command_pauses_and_resumes(broker, capsys):
    assert command(broker, "pause", "other") == 0
    assert "other is paused" in capsys.readouterr().out
    stands(broker, "paused")
    assert command(broker) == 0, "what somebody paused is no failure"
    assert command(broker, "resume", "other") == 0
    linked(broker)
    assert command(broker, "pause", "another") != 0
    assert "there is no bridge `another`" in capsys.readouterr().err


def test_the_command_says_by_its_exit_code_that_a_link_is_down(broker_factory, capsys):
    broker = broker_factory(http_port=0, bridges=[bridge(f"mqtt://127.0.0.1:{free_port()}", OUT)])
    stands(broker, "waiting")
    assert command(broker) == 1
    assert "refused" in capsys.readouterr().out


def test_the_api(broker):
    with closing(http.client.HTTPConnection("127.0.0.1", broker.http_port, timeout=5)) as connection:

        def ask(method: str, path: str):
            connection.request(method, path, headers={"Host": "localhost", "X-HookMQ": "1"})
            return json.loads(connection.getresponse().read())

        assert ask("GET", "/api/v1/bridges")["items"][0]["protocol"] == "5.0"
        assert ask("POST", "/api/v1/bridges/other/pause")["items"][0]["name"] == "other"
        stands(broker, "paused")
        assert ask("POST", "/api/v1/bridges/another/pause")["error"]["code"] == "E508"


def test_there_are_none_before_the_start_and_after_the_end(broker_factory, mosquitto):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT)], start=False)
    assert broker.bridges == []
    broker.start()
    assert len(broker.bridges) == 1
    broker.stop()
    assert broker.bridges == []


def test_the_log_tells_of_the_link(broker_factory, mosquitto, caplog):
    caplog.set_level("INFO")
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT)])
    linked(broker)
    line = f"bridge other: connected to 127.0.0.1:{mosquitto.port} by MQTT 5.0"
    eventually(lambda: caplog.text, lambda text: line in text)
    mosquitto.kill()
    eventually(lambda: told(broker).failures, lambda failures: failures > 3)
    # The same failure again is no news.
    eventually(lambda: caplog.text, lambda text: "the next try is in" in text)
    assert caplog.text.count("the next try is in") <= 3


def test_the_banner_names_other_brokers():
    info = BannerInfo(
        version="1",
        python="3",
        platform="Linux",
        mqtt=(),
        bridges=(("plant", "mqtts://a:8883"), ("b", "mqtt://b:1")),
    )
    text = render(info, colour=False)
    assert "Bridges     mqtts://a:8883" in text and text.count("Bridge") == 1


def test_several_bridges_at_once(broker_factory, mosquitto_factory, mosquitto):
    second = mosquitto_factory()
    broker = broker_factory(
        bridges=[bridge(mosquitto.url, OUT), bridge(second.url, OUT, name="second", client_id="second")]
    )
    linked(broker)
    linked(broker, "second")
    broker.publish("a", b"1", qos=1)
    eventually(lambda: [one.messages_sent for one in broker.bridges], lambda sent: sent == [1, 1])
