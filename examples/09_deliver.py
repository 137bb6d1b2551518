"""Give each subscriber what it may see: names of patients are for doctors.

python examples/09_deliver.py

mosquitto_sub -u doctor -P stethoscope -v -t 'patient/#'
mosquitto_sub -u monitor -P screen -v -t 'patient/#'        # sees no names, and no diagnosis
mosquitto_pub -u doctor -P stethoscope -t patient/3/vitals -m '{"name": "Ada", "pulse": 61}'
mosquitto_pub -u doctor -P stethoscope -t patient/3/diagnosis -m 'in love'
"""

from hookmq import Broker, Change, Client, Message

broker = Broker()

# See 02_authenticate.py for how to keep passwords.
PASSWORDS = {"doctor": "stethoscope", "monitor": "screen"}


@broker.authenticate
def admit(client: Client) -> bool:
    return client.username in PASSWORDS and PASSWORDS[client.username] == client.password


@broker.on_deliver("patient/+/vitals")
def anonymous(msg: Message, client: Client) -> Change | None:
    if client.username == "doctor":
        return None
    return Change(payload={key: value for key, value in msg.json().items() if key != "name"})


@broker.on_deliver("patient/+/diagnosis")
def confidential(msg: Message, client: Client) -> bool:
    return client.username == "doctor"


if __name__ == "__main__":
    broker.run()
