"""What deciders answer with: who a client is, how long an answer holds, what becomes of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["KEEP", "Allow", "Change", "Deny", "Drop", "Identity", "Keep"]


class Deny(Exception):
    """Raised by a decider, or returned by it, to say no, with words for the client and a reason code.

    The words go to a client of MQTT 5 as the reason string. ``code`` is a reason code of MQTT 5 from 0x80 on;
    0x87 is "not authorized", 0x86 "bad user name or password", 0x99 "payload format invalid".

    >>> str(Deny("come back tomorrow", code=0x88))
    'come back tomorrow'
    """

    def __init__(self, reason: str = "not authorized", *, code: int = 0x87) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Allow:
    """Returned by ``authenticate`` or ``authorize`` to say yes, and for how long the answer holds.

    Args:
        ttl: seconds in which nobody is asked the same again: by ``authenticate`` for the same user name,
            password, client identifier, certificate, listener and IP address; by ``authorize`` for the
            same connection, action, topic, QoS and retain flag. Only what was allowed is remembered.

    >>> Allow(ttl=60).ttl
    60
    """

    ttl: float = 0.0

    def __post_init__(self) -> None:
        _check_ttl(self.ttl)


@dataclass(frozen=True, slots=True)
class Identity:
    """Returned by ``authenticate`` to say yes, and who the client is.

    Args:
        username: the user name by which the client is known from here on, whatever it gave: in access rules,
            as the owner of its session, to other hooks.
        ttl: as that of :class:`Allow`.

    >>> Identity("tank").username
    'tank'
    """

    username: str
    ttl: float = 0.0

    def __post_init__(self) -> None:
        # Here, where the traceback names the line that made it.
        if not isinstance(self.username, str):
            raise TypeError(f"the user name of an Identity is text, not {type(self.username).__name__}")
        self.username.encode()  # raises for what is not Unicode
        _check_ttl(self.ttl)


def _check_ttl(ttl: float) -> None:
    if not isinstance(ttl, int | float):
        raise TypeError(f"ttl is a number of seconds, not {type(ttl).__name__}")
    if ttl != ttl:
        raise ValueError("ttl is a number of seconds, not nan")


class Drop:
    """Returned by ``transform`` or ``on_deliver``, as a class or as an object: nobody gets the message.

    The publisher is told that all went well; raise :class:`Deny` to tell it otherwise.
    """


class Keep:
    """What :data:`KEEP` is."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep()
"""Stands in a :class:`Change` for what stays as it was."""


@dataclass(frozen=True, slots=True)
class Change:
    """Returned by ``transform`` or ``on_deliver``: a message that takes the place of the one that came.

    Args:
        payload: what can be published: bytes, text, or anything that has a JSON form.
        topic: a topic name; another one reroutes the message.
        qos: 0, 1 or 2.
        retain: whether the broker keeps it for later subscribers.
        properties: those of MQTT 5, all of them, as in :attr:`hookmq.Message.properties`.

    What is not named stays as it was.

    >>> Change(topic="archive/level", retain=False).topic
    'archive/level'
    """

    payload: Any = KEEP
    topic: str | Keep = KEEP
    qos: int | Keep = KEEP
    retain: bool | Keep = KEEP
    properties: Mapping[str, object] | Keep = KEEP
