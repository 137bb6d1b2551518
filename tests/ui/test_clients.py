"""The page of clients: found, looked at, kicked, banned."""

from __future__ import annotations

import contextlib
import socket

import pytest

from .mqtt import connected


def test_a_client_is_kicked(dashboard):
    with connected(dashboard.broker, "tank-7", "cmd/7/#") as client, dashboard.open("#/clients") as page:
        page.getByText("tank-7", {"exact": True}).click()
        page.until("location.hash === '#/clients/tank-7'")
        page.getByRole("button", {"name": "Disconnect"}).click()
        page.getByRole("dialog").getByRole("button", {"name": "Disconnect"}).click()
        page.getByText("tank-7 is disconnected.").waitFor()
        assert client.gone.wait(10)


def test_a_client_comes_and_goes_without_a_reload(dashboard):
    with dashboard.open("#/clients") as page:
        page.getByText("No client yet").waitFor()
        with connected(dashboard.broker, "guest"):
            page.getByText("guest", {"exact": True}).waitFor()
        page.getByText("No client yet").waitFor()


def test_everything_of_a_client(dashboard):
    will = ("tank/7/gone", "bye")
    with connected(
        dashboard.broker, "tank-7", "cmd/7/#", "$share/team/jobs/+", will=will, username="anna"
    ) as client:
        client.publish("a", "1", qos=1).wait_for_publish(10)
        with dashboard.open("#/clients/tank-7") as page:
            text = page.locator(".page").innerText()
            for shown in ["anna", "127.0.0.1", "5.0", "tank/7/gone", "cmd/7/#", "jobs/+", "shared: team"]:
                assert shown in text
            page.until("/Sent by it\\s+1/.test(document.body.innerText)")


def test_a_session_is_ended_with_what_waits_in_it(dashboard):
    with connected(dashboard.broker, "away", "news", expiry=3600):
        pass
    dashboard.broker.publish("news", "one", qos=1)
    with dashboard.open("#/clients/away") as page:
        page.getByRole("button", {"name": "End session"}).click()
        assert "1 queued message are removed" in page.getByRole("dialog").innerText()
        page.getByRole("dialog").getByRole("button", {"name": "End session"}).click()
        page.until("location.hash.startsWith('#/clients') && !location.hash.includes('away')")
    assert dashboard.get("clients")["items"] == []


def test_ban_and_lift(dashboard):
    with (
        connected(dashboard.broker, "noisy") as client,
        dashboard.open("#/clients/noisy", role="operator") as page,
    ):
        page.getByRole("button", {"name": "Ban"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("For", {"exact": True}).selectOption("600")
        dialog.getByLabel("Reason, for those who look at the list").fill("floods")
        dialog.getByRole("button", {"name": "Ban"}).click()
        page.getByText("noisy is banned.").waitFor()
        assert client.gone.wait(10)
        [ban] = dashboard.broker.bans
        assert (ban.value, ban.reason) == ("noisy", "floods")
        page.goto(f"{dashboard.url}#/clients?tab=bans")
        page.getByText("floods").waitFor()
        page.getByRole("button", {"name": "Lift"}).click()
        page.getByText("Nobody is banned.").waitFor()
    assert dashboard.broker.bans == []


def test_a_ban_by_address_from_the_list(dashboard):
    with dashboard.open("#/clients?tab=bans") as page:
        page.getByRole("button", {"name": "Add a ban"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("By", {"exact": True}).selectOption("address")
        dialog.getByLabel("Who", {"exact": True}).fill("192.0.2.7")
        dialog.getByLabel("For", {"exact": True}).selectOption("0")
        dialog.getByRole("button", {"name": "Ban"}).click()
        page.getByText("until it is lifted").waitFor()
    assert [(ban.by, ban.value, ban.until) for ban in dashboard.broker.bans] == [
        ("address", "192.0.2.7", None)
    ]


@pytest.fixture
def crowd(dashboard):
    """A dashboard with 250 clients of MQTT 3.1.1."""
    with contextlib.ExitStack() as open_sockets:
        for n in range(250):
            name = f"client-{n:04}".encode()
            link = open_sockets.enter_context(socket.create_connection(("127.0.0.1", dashboard.broker.port)))
            link.sendall(bytes([0x10, 12 + len(name)]) + b"\0\4MQTT\4\2\0\0\0" + bytes([len(name)]) + name)
            assert link.recv(4) == b"\x20\2\0\0"
        yield dashboard


def test_many_clients_are_searched_sorted_and_paged_by_the_broker(crowd):
    with crowd.open("#/clients") as page:
        page.getByText("100 of 250").waitFor()
        page.evaluate("document.querySelector('.scroll').scrollTop = 1e6")
        page.getByText("200 of 250").waitFor()
        page.evaluate("document.querySelector('.scroll').scrollTop = 1e6")
        page.getByText("250 of 250").waitFor()
        page.getByRole("searchbox").fill("client-0123")
        page.getByText("1 of 1").waitFor()
        page.getByText("client-0123", {"exact": True}).waitFor()
        page.getByRole("searchbox").fill("")
        page.getByText("100 of 250").waitFor()
        page.getByRole("button", {"name": "Client", "exact": True}).click()
        page.until("location.hash.includes('sort=-client_id')")
        page.until("document.querySelector('tbody tr').innerText.includes('client-0249')")
        page.getByRole("radio", {"name": "Not connected"}).click()
        page.getByText("No client matches.").waitFor()


def test_a_client_that_there_is_not(dashboard):
    with dashboard.open("#/clients/nobody") as page:
        page.getByText("There is no client nobody, and no session of that name.").waitFor()
