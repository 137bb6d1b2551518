"""A password from whoever types it, or from standard input; never from the command line, which others see."""

from __future__ import annotations

import sys

from hookmq.errors import HookMQError

__all__ = ["ask"]


def ask(name: str, *, from_stdin: bool, twice: bool, command: str) -> bytes:
    """Return the password of user ``name``.

    Raises E704, which tells to type ``command``, if there is no terminal to ask, and E705 if the password is
    empty or was not typed the same twice.
    """
    if from_stdin:
        given = sys.stdin.buffer.readline().rstrip(b"\r\n")
    elif sys.stdin.isatty():
        given = _typed(f"Password of {name}: ")
        if twice and given and _typed("Once more: ") != given:
            raise HookMQError("E705", reason="it was not the same twice")
    else:
        raise HookMQError("E704", command=f"{command} {name} --password-stdin")
    if not given:
        raise HookMQError("E705", reason="it is empty")
    return given


def _typed(prompt: str) -> bytes:
    from getpass import getpass

    # What the terminal sent that is not its own encoding goes on as the bytes it was.
    return getpass(prompt).encode("utf-8", "surrogateescape")
