"""A certificate for localhost, made anew for each run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Certificate"]


@dataclass(frozen=True)
class Certificate:
    """The files of a server, and of the authority that its clients know."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Certificate:
        """Make one in a directory."""
        made = cls(directory / "authority.pem", directory / "chain.pem", directory / "server.key")
        if not made.key.exists():
            authority = trustme.CA()
            server = authority.issue_cert("localhost", "127.0.0.1")
            authority.cert_pem.write_to_path(str(made.authority))
            made.chain.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
            server.private_key_pem.write_to_path(str(made.key))
        return made
