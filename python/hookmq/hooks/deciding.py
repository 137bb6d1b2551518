"""The decorators of hooks that decide: what they answer is what happens."""

from __future__ import annotations

from collections.abc import Callable

from .registering import Registering, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Unpack

    from .options import DeciderOptions, TransformOptions
    from .registering import F

__all__ = ["Deciding"]


class Deciding(Registering):
    """What ``Broker`` inherits to ask hooks what is to happen."""

    @overload
    def authenticate(self, function: F, /) -> F: ...
    @overload
    def authenticate(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def authenticate(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Ask the function whether a client may connect.

        It is given the client with ``username`` and ``password`` and returns ``True``, ``False`` or ``None``
        for no opinion, :class:`~hookmq.Identity` to name the client otherwise, :class:`~hookmq.Allow` to
        remember the answer, or raises :class:`~hookmq.Deny`. Several are asked in their order until one has
        an opinion. If none has, if one raises, and after ``hooks.decision_timeout`` (5 s) the client is
        refused. The functions run on threads of their own: a slow answer delays only who waits for it.

        ```python
        @broker.authenticate
        def admit(client) -> bool:
            return client.username == "tank" and client.password == "secret"
        ```
        """
        return self._decorate("authenticate", function, options)

    @overload
    def on_connect(self, function: F, /) -> F: ...
    @overload
    def on_connect(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def on_connect(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Ask the function whether a client that is who it says it is may connect now.

        ``False`` and :class:`~hookmq.Deny` refuse it, ``True`` and ``None`` let it in; an error and a
        time-out refuse.

        ```python
        from hookmq import Deny

        @broker.on_connect
        def only_sensors(client):
            if not client.client_id.startswith("sensor-"):
                raise Deny("only sensors may connect", code=0x85)
        ```
        """
        return self._decorate("on_connect", function, options)

    @overload
    def authorize(self, function: F, /) -> F: ...
    @overload
    def authorize(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def authorize(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Ask the function whether a client may publish or subscribe.

        It is given the client, the action (``"publish"`` or ``"subscribe"``), the topic name or topic filter,
        the QoS and whether a publish is to be retained, as many of these as it takes. ``False`` or
        :class:`~hookmq.Deny` denies, ``True`` and ``None`` allow if nobody denies; an error and a time-out
        deny. :class:`~hookmq.Allow` allows for a while: ``Allow(ttl=60)`` spares the same question for a
        minute. A Will is asked about as a publish when its client connects.

        ```python
        from hookmq import Allow

        @broker.authorize
        def may(client, action, topic):
            return Allow(ttl=60) if topic.startswith(f"home/{client.username}/") else False
        ```
        """
        return self._decorate("authorize", function, options)

    @overload
    def on_subscribe(self, function: F, /) -> F: ...
    @overload
    def on_subscribe(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def on_subscribe(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Ask the function whether a client may subscribe, and with which QoS.

        A number grants at most that QoS; ``True`` and ``None`` leave what the client asked for; ``False`` and
        :class:`~hookmq.Deny` refuse the subscription, and so do an error and a time-out.

        ```python
        @broker.on_subscribe
        def gently(client, filter, qos):
            return 0 if filter == "#" else None
        ```
        """
        return self._decorate("on_subscribe", function, options)

    @overload
    def transform(self, filter: F, /) -> F: ...
    @overload
    def transform(self, filter: str = "#", /, **options: Unpack[TransformOptions]) -> Callable[[F], F]: ...
    def transform(self, filter: Any = "#", /, **options: Unpack[TransformOptions]) -> Any:
        """Ask the function what becomes of a message that a client publishes, before anyone gets it.

        It is given the message and the client. ``None`` leaves the message; bytes, text, a dict or a number
        is its new payload; :class:`~hookmq.Change` changes topic, QoS, retain flag or properties; a list
        stands for several messages, in which ``None`` is the message itself; :class:`~hookmq.Drop` drops it
        and :class:`~hookmq.Deny` refuses it with a reason code. An error and a time-out refuse it: a client
        of MQTT 5 is told (0x83), others are disconnected if they wait for an acknowledgement. A payload that
        is not what an annotation says is refused with 0x99.

        What comes out is not asked about again: the function may write wherever it likes.

        ```python
        from hookmq import Change, Deny

        @broker.transform("tank/{tank}/raw")
        def celsius(msg, client, tank):
            value = float(msg.text)
            if value > 500:
                raise Deny("that is no temperature", code=0x99)
            return Change(topic=f"tank/{tank}/celsius", payload={"celsius": (value - 32) / 1.8})
        ```
        """
        return self._decorate("transform", filter, options, default="#")

    @overload
    def on_deliver(self, filter: F, /) -> F: ...
    @overload
    def on_deliver(self, filter: str = "#", /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def on_deliver(self, filter: Any = "#", /, **options: Unpack[DeciderOptions]) -> Any:
        """Ask the function what a subscriber gets of a message, once for each subscriber.

        It is given the message and the receiving client. ``None`` and ``True`` let it go, ``False`` and
        :class:`~hookmq.Drop` keep it back, a payload or a :class:`~hookmq.Change` takes its place for this
        subscriber. With an error or a time-out it does not go. Retained messages are asked about as well. The
        publisher's acknowledgement waits for the answers.

        ```python
        from hookmq import Change

        @broker.on_deliver("patient/#")
        def anonymous(msg, client):
            if client.username != "doctor":
                return Change(payload={**msg.json(), "name": None})
        ```
        """
        return self._decorate("on_deliver", filter, options, default="#")

    def enhanced_authenticate(self, method: str, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]:
        """Lead the enhanced authentication of clients that name this method (MQTT 5).

        ``method`` is the Authentication Method, such as ``"K8S-SAT"``.

        The function is given the :class:`~hookmq.Client` and the data of its first message. It returns
        ``True``, ``None`` or ``bytes`` (last data for the client) to let it in, ``False`` to refuse it, or
        raises :class:`~hookmq.Deny`. A method of several steps is a generator: it yields challenges, and
        each ``yield`` gives the client's answer. What it raises refuses, and so does a step that takes
        longer than ``hooks.decision_timeout``. ``SCRAM-SHA-256`` needs no hook: the users file knows it.

        ```python
        @broker.enhanced_authenticate("ECHO")
        def echo(client, data):
            answer = yield b"say it again"
            return answer == data
        ```
        """
        if callable(method):
            from .functions import bare

            raise bare("enhanced_authenticate", method, '@broker.enhanced_authenticate("METHOD")')

        return self._decorate("enhanced_authenticate", None, options, method=method)  # type: ignore[no-any-return]
