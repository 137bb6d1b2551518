"""The broker as other people's MQTT clients see it."""
