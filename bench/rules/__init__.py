"""What rules cost: ``python -m bench.rules``, which ``make bench-rules`` calls."""
