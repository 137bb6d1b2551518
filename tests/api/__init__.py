"""The Python API as a user and as an adversary sees it, with real clients."""
