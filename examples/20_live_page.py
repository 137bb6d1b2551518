"""A page that shows values as they come, and a button on it that publishes.

    python examples/20_live_page.py

    mosquitto_pub -t room/kitchen/temperature -m 21.5

and open the page at the address that the broker prints. Open it twice: both show the same.
"""

from hookmq import Broker, Message, PageSocket

broker = Broker()
live = broker.websocket("/live")

PAGE = """<!doctype html>
<title>Rooms</title>
<ul id=rooms></ul>
<button onclick="socket.send('on')">light on</button> <button onclick="socket.send('off')">light off</button>
<script>
const socket = new WebSocket(`ws${location.protocol.slice(4)}//${location.host}/live`)
socket.onmessage = event => {
  const {topic, text} = JSON.parse(event.data)
  const row = document.getElementById(topic) ?? rooms.appendChild(document.createElement("li"))
  row.id = topic
  row.textContent = `${topic}: ${text}`
}
</script>
"""


@broker.route("/")
def page() -> str:
    return PAGE


@broker.on_message_received("room/#")
def push(msg: Message) -> None:
    live.send({"topic": msg.topic, "text": msg.text})


@live.on_open
def catch_up(socket: PageSocket) -> None:
    for row in broker.history("room/#").last(by="topic"):
        socket.send({"topic": row.topic, "text": row.text})


@live.on_message
def switch(message: str) -> None:
    broker.publish("light", message)


if __name__ == "__main__":
    broker.run()
