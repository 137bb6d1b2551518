"""The token by which commands of this machine ask a broker: a new one at each start, in its data directory.

Who can read the directory can change everything that the broker keeps anyway.
"""

from __future__ import annotations

import os

__all__ = ["FILE", "read", "write"]

FILE = "api-token"
"""The name of the file."""

_LONGEST = 200


def write(directory: str | os.PathLike[str]) -> str:
    """Make a new token, and write it where only the directory's owner reads it. Raises ``OSError``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     write(directory) == read(os.path.join(directory, FILE))
    True
    """
    from base64 import urlsafe_b64encode  # at every start: `secrets` would import half of the library

    token = "hmq_" + urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, FILE)
    temporary = f"{path}.{os.getpid()}"
    # Whatever lies there of that name, also a link, is not what is written into.
    if os.path.lexists(temporary):
        os.unlink(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, token.encode() + b"\n")
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    return token


def read(path: str | os.PathLike[str]) -> str | None:
    """Return the token in a file; ``None`` if there is none, or none that this user may read."""
    try:
        with open(path, "rb") as stream:
            token = stream.read(_LONGEST).split(b"\n")[0].strip().decode("ascii")
    except (OSError, ValueError):
        return None
    return token or None
