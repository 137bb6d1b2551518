"""The decorators that register hooks.

Each returns the function untouched, so it stays callable and testable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .hooks import HOOKS, Hook, bare

if TYPE_CHECKING:
    import schedule

__all__ = ["Decorators"]

F = TypeVar("F", bound=Callable[..., Any])


class Decorators:
    """What ``Broker`` inherits to register hooks.

    Hooks can be added before the broker starts and while it runs: then they see what happens from that moment
    on. An ``authenticate`` hook that is added later asks clients that connect later.
    """

    def _add_hook(self, hook: Hook) -> None:
        raise NotImplementedError

    def _add_job(self, job: schedule.Job, function: Callable[..., Any], name: str | None) -> None:
        raise NotImplementedError

    def _add_route(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        raise NotImplementedError

    def _decorate(
        self,
        kind: str,
        given: object,
        *,
        default: str | None = None,
        overflow: str = "drop_oldest",
        name: str | None = None,
    ) -> Any:
        """Register ``given`` if it is the function, else return a decorator for the filter ``given``."""
        spec = HOOKS[kind]
        if callable(given):
            self._add_hook(Hook.of(spec, given, default, overflow, name))
            return given

        def decorate(function: F) -> F:
            filter = default if given is None else given
            self._add_hook(Hook.of(spec, function, filter, overflow, name))  # type: ignore[arg-type]
            return function

        return decorate

    @overload
    def on_message_received(self, filter: F, /) -> F: ...
    @overload
    def on_message_received(
        self, filter: str = "#", /, *, overflow: str = "drop_oldest", name: str | None = None
    ) -> Callable[[F], F]: ...
    def on_message_received(
        self, filter: Any = "#", /, *, overflow: str = "drop_oldest", name: str | None = None
    ) -> Any:
        """Call the function with each message that a client publishes to a topic that matches.

        Args:
            filter: a topic filter; ``{name}`` in the place of ``+`` hands that level over as an argument.
            overflow: which event goes when the queue is full: ``"drop_oldest"`` or ``"drop_newest"``.
                Either is counted in ``broker.hooks`` and logged.
            name: the hook's name, the function's own by default.

        The function runs on a thread of its own, never on a network thread; messages of one client come in
        their order. An ``async def`` function runs on the broker's event loop, in the same order for each
        client. What it returns is ignored, what it raises is logged and counted. Wills fire it as well; what
        the broker itself publishes does not.

        ```python
        @broker.on_message_received("tank/{tank}/level")
        def watch(msg, tank):
            if msg.json()["level"] < 20:
                broker.publish(f"tank/{tank}/alert", {"low": True}, retain=True)
        ```

        Raises:
            HookMQError: E501 if the function cannot be called so, E502 if the filter is none.
        """
        return self._decorate("on_message_received", filter, default="#", overflow=overflow, name=name)

    @overload
    def on_message_sent(self, filter: F, /) -> F: ...
    @overload
    def on_message_sent(
        self, filter: str = "#", /, *, overflow: str = "drop_oldest", name: str | None = None
    ) -> Callable[[F], F]: ...
    def on_message_sent(
        self, filter: Any = "#", /, *, overflow: str = "drop_oldest", name: str | None = None
    ) -> Any:
        """Call the function with each message that is sent to a client, once for each receiver.

        ``msg.client_id`` is the receiver, ``msg.publisher`` who published it; ``msg.qos``, ``msg.retain`` and
        ``msg.packet_id`` are those it was sent with. Otherwise like :meth:`on_message_received`.

        ```python
        @broker.on_message_sent("alarm/#")
        def log_delivery(msg):
            print(msg.topic, "went to", msg.client_id)
        ```
        """
        return self._decorate("on_message_sent", filter, default="#", overflow=overflow, name=name)

    @overload
    def on_client_connected(self, function: F, /) -> F: ...
    @overload
    def on_client_connected(self, /, *, name: str | None = None) -> Callable[[F], F]: ...
    def on_client_connected(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Call the function with the :class:`~hookmq.Client` when a client has connected.

        ```python
        @broker.on_client_connected
        def hello(client):
            print(client.client_id, "from", client.address)
        ```
        """
        return self._decorate("on_client_connected", function, name=name)

    @overload
    def on_client_disconnected(self, function: F, /) -> F: ...
    @overload
    def on_client_disconnected(self, /, *, name: str | None = None) -> Callable[[F], F]: ...
    def on_client_disconnected(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Call the function with the client, and why in words, when a connection has ended.

        ```python
        @broker.on_client_disconnected
        def gone(client, reason):
            print(client.client_id, reason)
        ```
        """
        return self._decorate("on_client_disconnected", function, name=name)

    @overload
    def authenticate(self, function: F, /) -> F: ...
    @overload
    def authenticate(self, /, *, name: str | None = None) -> Callable[[F], F]: ...
    def authenticate(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Ask the function whether a client may connect.

        It is given the client with ``username`` and ``password`` and returns ``True``, ``False`` or ``None``
        for no opinion, or raises :class:`~hookmq.Deny`. Several are asked in their order until one has an
        opinion. If none has, if one raises, and after ``hooks.decision_timeout`` (5 s) the client is refused.
        The functions run on threads of their own: a slow answer delays only who waits for it.

        ```python
        @broker.authenticate
        def admit(client) -> bool:
            return client.username == "tank" and client.password == "secret"
        ```
        """
        return self._decorate("authenticate", function, name=name)

    @overload
    def authorize(self, function: F, /) -> F: ...
    @overload
    def authorize(self, /, *, name: str | None = None) -> Callable[[F], F]: ...
    def authorize(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Ask the function whether a client may publish or subscribe.

        It is given the client, the action (``"publish"`` or ``"subscribe"``), the topic name or topic filter,
        the QoS and whether a publish is to be retained, as many of these as it takes. ``False`` or
        :class:`~hookmq.Deny` denies, ``True`` and ``None`` allow if nobody denies; an error and a time-out
        deny. A Will is asked about as a publish when its client connects.

        ```python
        @broker.authorize
        def may(client, action, topic) -> bool:
            return topic.startswith(f"home/{client.username}/")
        ```
        """
        return self._decorate("authorize", function, name=name)

    def schedule(self, when: schedule.Job, /, *, name: str | None = None) -> Callable[[F], F]:
        """Call the function at certain times, in the words of the ``schedule`` library.

        A run that is due while the last one still goes on is left out and counted, so a job never overlaps
        itself; an error is logged and counted, and the job comes again. Times are local.

        ```python
        from hookmq import every

        @broker.schedule(every(10).seconds)
        def report(): ...

        @broker.schedule(every().day.at("06:30"))
        async def morning(): ...
        ```
        """

        if callable(when):
            raise bare("schedule", when, "@broker.schedule(every(10).seconds)")

        def decorate(function: F) -> F:
            self._add_job(when, function, name)
            return function

        return decorate

    def enhanced_authenticate(self, method: str, /, *, name: str | None = None) -> Callable[[F], F]:
        """Lead the enhanced authentication of clients that name this method (MQTT 5).

        Args:
            method: the Authentication Method, such as ``"K8S-SAT"``.
            name: the hook's name, the function's own by default.

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
            raise bare("enhanced_authenticate", method, '@broker.enhanced_authenticate("METHOD")')

        def decorate(function: F) -> F:
            hook = Hook.of(HOOKS["enhanced_authenticate"], function, None, "drop_oldest", name)
            hook.method = method
            self._add_hook(hook)
            return function

        return decorate

    def route(self, path: str, /, *, methods: tuple[str, ...] | None = None) -> Callable[[F], F]:
        """Serve what the function returns under a path of the HTTP port.

        Args:
            path: begins with ``/``; ``{name}`` stands for one part of it, handed over by name.
            methods: such as ``("GET", "POST")``; all of them by default.

        The function is given a :class:`~hookmq.Request`, if it takes an argument. It returns ``str`` (HTML
        if it begins with ``<``, else plain text), ``bytes``, ``dict`` or ``list`` (JSON), ``None`` (no
        content) or a :class:`~hookmq.Response`. An error is logged and answered with 500.

        ```python
        @broker.route("/hello/{name}")
        def hello(request, name):
            return f"hello {name}"
        ```
        """

        if callable(path):
            raise bare("route", path, '@broker.route("/hello")')

        def decorate(function: F) -> F:
            self._add_route(path, function, methods)
            return function

        return decorate
