"""Stored messages given to a hook once more."""
