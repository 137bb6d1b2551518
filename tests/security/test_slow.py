"""Who takes his time with the head of a request, while all other tests go on."""

from __future__ import annotations

import contextlib
import time


def test_who_was_slow_all_the_time_is_gone(site, slow, attack):
    """Each has 10 s for its head, however it sends it; others were served meanwhile."""
    began, connections = slow
    with attack():
        while time.monotonic() - began < 11:
            for connection in connections[:20]:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(b"x")
            site.is_well()
            time.sleep(0.5)
        for connection in connections:
            connection.settimeout(3)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
