"""Settings: what there is, where values come from, and what the listeners are made of them."""
