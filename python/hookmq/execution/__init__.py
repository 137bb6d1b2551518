"""Where functions run: threads, the event loop, other processes."""
