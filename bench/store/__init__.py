"""What it costs to lose nothing, beside other brokers that keep messages on disk."""
