"""What storing messages costs: HookMQ's storage beside a consumer with paho-mqtt on Mosquitto."""
