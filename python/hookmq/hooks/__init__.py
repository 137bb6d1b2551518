"""Hooks: what one is, which kinds there are, how they are registered and called."""
