"""Black-box tests of the MQTT protocol: bytes to a socket, packets back."""
