"""``custom_store.py``: the hooks that see every message."""

from __future__ import annotations

from types import ModuleType

from ..message import Message
from .extensions import function_of, refusal
from .host import Host
from .payload import received, sent
from .working_directory import Inside, WorkingDirectory

__all__ = ["register_store"]

RECEIVED = ("on_message_received_hook", "handle_Received_Payload")
SENT = ("on_message_sent_hook", "handle_Sent_Payload")
"""What the two generations call their hooks. A file that has both names is called once."""


def register_store(broker: Host, module: ModuleType, directory: WorkingDirectory) -> None:
    """Call a file's hooks, each on a thread of its own behind a queue, so that none slows the broker.

    What they raise is logged with its cause and counted, what they are too slow for is dropped and counted.

    Raises:
        HookMQError: E803 for a file without hooks.
    """
    on_received, on_sent = function_of(module, *RECEIVED), function_of(module, *SENT)
    if on_received is None and on_sent is None:
        raise refusal(
            module.__file__,
            f"it defines neither {RECEIVED[0]} nor {SENT[0]}",
            f"write   def {RECEIVED[0]}(data):   or set DATA_INTEGRATION = FALSE in conf/datastore.conf",
        )
    if on_received is not None:
        hook = on_received

        def take(message: Message) -> None:
            hook(received(message))

        broker.on_message_received("#", name=RECEIVED[0], threads=1)(Inside(take, directory, of=hook))
    if on_sent is not None:
        other = on_sent

        def tell(message: Message) -> None:
            other(sent(message))

        broker.on_message_sent("#", name=SENT[0], threads=1)(Inside(tell, directory, of=other))
