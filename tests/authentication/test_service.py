"""What every service does with answers, outages and mistakes; asked by clients over MQTT."""

from __future__ import annotations

import threading
import time

import pytest

from hookmq import Allow, Deny, Identity
from hookmq.authentication import AuthenticationService, Failure, Outage

from ..api.helpers import eventually
from ..protocol.packets import V311
from .clients import BAD_LOGIN, BUSY, UNAVAILABLE, client, connected, knock, secret


class Asked(AuthenticationService):
    """Answers as the test says, and keeps whom it was asked about."""

    kind = "asked"

    def __init__(self, answer, **options):
        super().__init__(**options)
        self.answer = answer
        self.whom = []

    def check(self, client):
        self.whom.append(client.username)
        return self.answer(client)


def raising(error):
    def answer(client):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda client: Allow(), 0),
        (lambda client: Identity("other"), 0),
        (lambda client: Deny("no", code=BAD_LOGIN), BAD_LOGIN),
        (raising(Deny("not now", code=0x8A)), 0x8A),
        (lambda client: None, 0x87),
        (lambda client: "yes", UNAVAILABLE),
        (lambda client: True, UNAVAILABLE),
        (raising(Outage("it is away")), UNAVAILABLE),
        (raising(Failure("it speaks in riddles")), UNAVAILABLE),
        (raising(RuntimeError("secret-of-somebody")), UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_what_is_answered_is_what_the_client_is_told(guarded, answer, code, waits):
    secret("secret-of-somebody")
    service = Asked(answer)
    service.waits_for = lambda client: waits
    assert knock(guarded(service), "tank", "water").code == code
    assert service.whom == ["tank"]


def test_what_is_counted(guarded):
    answers = {
        "in": Allow(),
        "out": Deny("no"),
        "away": Outage("away"),
        "nobody": None,
    }

    def answer(client):
        found = answers[client.username]
        if isinstance(found, Outage):
            raise found
        return found

    service = Asked(answer, failures=1, pause=60)
    broker = guarded(service)
    for name in ("in", "out", "out", "nobody", "away", "in", "in"):
        knock(broker, name, "password")
    assert service.counters == {"asked": 7, "allowed": 1, "refused": 2, "failed": 1, "short_circuited": 2}
    assert service.whom == ["in", "out", "nobody", "away"]  # the second `out` was remembered


def test_the_hook_has_the_name_of_the_service(guarded):
    broker = guarded(Asked(lambda client: Allow(), name="registry"))
    (hook,) = [one for one in broker.hooks if one.kind == "authenticate"]
    assert (hook.name, hook.errors) == ("registry", 0)
    broker.pause("registry")
    assert knock(broker, "tank", "water").code == 0x87


def test_who_was_allowed_for_a_while_is_not_asked_about_again(guarded):
    service = Asked(lambda client: Identity("north", ttl=60))
    broker = guarded(service)
    assert [knock(broker, "tank", "water").code for _ in range(3)] == [0, 0, 0]
    assert service.whom == ["tank"]
    knock(broker, "tank", "other")
    knock(broker, "tank", "water", client_id="c2")
    assert len(service.whom) == 3


def test_a_wrong_password_in_a_loop_reaches_the_service_once(guarded):
    service = Asked(lambda client: Deny("no", code=BAD_LOGIN), negative_ttl=0.5)
    broker = guarded(service)
    began = time.monotonic()
    for number in range(5):
        assert knock(broker, "tank", "wrong", client_id=f"c{number}").code == BAD_LOGIN
    assert service.whom == ["tank"] or time.monotonic() - began > 0.5
    knock(broker, "tank", "another")
    assert len(service.whom) == 2 or time.monotonic() - began > 0.5
    eventually(lambda: knock(broker, "tank", "wrong") and len(service.whom) > 2)


def test_the_next_service_is_asked_only_where_a_no_is_not_the_last_word(guarded):
    first, second = (
        Asked(lambda client: Deny("no"), final=False),
        Asked(lambda client: Allow(), name="second"),
    )
    broker = guarded(first, second)
    assert knock(broker, "tank", "water").code == 0
    assert knock(broker, "tank", "water").code == 0  # the no was remembered, and is still not the last word
    assert (first.whom, second.whom) == (["tank"], ["tank", "tank"])
    final = Asked(lambda client: Deny("no"), name="final")
    assert knock(guarded(final, second), "tank", "water").code == 0x87
    away = Asked(raising(Outage("away")), name="away", final=False)
    assert knock(guarded(away, second), "tank", "water").code == UNAVAILABLE
    silent = Asked(lambda client: None, name="silent")
    assert knock(guarded(silent, second), "tank", "water").code == 0


def test_clients_before_version_5_are_told_as_well(guarded):
    broker = guarded(Asked(raising(Outage("away"))))
    assert knock(broker, "tank", "water", version=V311).code == 3
    broker = guarded(Asked(lambda client: Deny("no", code=BAD_LOGIN)))
    assert knock(broker, "tank", "water", version=V311).code == 4


def test_an_outage_opens_the_breaker_and_an_answer_closes_it(guarded, caplog):
    down = threading.Event()
    down.set()

    def answer(client):
        if down.is_set():
            raise Outage("the registry is away")
        return Allow()

    service = Asked(answer, failures=2, pause=0.3)
    broker = guarded(service)
    codes = [knock(broker, f"tank{number}", "water").code for number in range(5)]
    assert codes == [UNAVAILABLE] * 5
    assert len(service.whom) == 2
    assert service.short_circuited == 3
    down.clear()
    eventually(lambda: knock(broker, "tank", "water").code == 0)
    assert knock(broker, "tank", "water").code == 0
    # The log names the cause once, and that it is over.
    said = [record.getMessage() for record in caplog.records if record.name == "hookmq.authentication"]
    assert said == ["asked: the registry is away", "asked answers again"]


def test_what_one_client_breaks_does_not_lock_out_the_others(guarded):
    def answer(client):
        if client.username == "odd":
            raise ValueError("a mistake of the service")
        return Allow()

    broker = guarded(Asked(answer, failures=1, pause=60))
    for _ in range(3):
        assert knock(broker, "odd", "password").code == UNAVAILABLE
    assert knock(broker, "tank", "water").code == 0


def test_the_log_names_the_place_of_a_mistake_but_not_its_words(guarded, caplog):
    def answer(client):
        raise ValueError(f"cannot read {client.password}")

    knock(guarded(Asked(answer)), "tank", "deep water")
    assert "ValueError in " in caplog.text
    assert "test_service.py" in caplog.text


def test_a_service_that_hangs_delays_nobody_else(guarded):
    """Neither the hooks about clients that are connected, nor other clients that another service knows."""
    released = threading.Event()

    def answer(client):
        released.wait(20)
        return Allow()

    slow = Asked(answer, threads=2, patience=3.0)
    slow.concerns = lambda client: client.username != "known"
    broker = guarded(
        slow, Asked(lambda client: Allow(), name="quick"), settings={"hooks.decision_threads": 2}
    )
    asked = []
    broker.authorize(lambda client, action, topic: asked.append(topic) or True)
    try:
        with connected(broker, "known", "water") as wire:
            waiting = [
                threading.Thread(target=knock, args=(broker, f"tank{number}", "water"), daemon=True)
                for number in range(20)
            ]
            for one in waiting:
                one.start()
            eventually(lambda: slow.asked == 21)
            began = time.monotonic()
            for _ in range(20):
                assert wire.publish("a", b"x", 1) in (0, 0x10)
            assert knock(broker, "known", "water", client_id="c2").code == 0
            assert time.monotonic() - began < 2
            assert len(asked) == 20
    finally:
        released.set()
    for one in waiting:
        one.join(10)


def test_who_waits_too_long_is_refused_by_the_service_itself(guarded, caplog):
    released = threading.Event()

    def answer(client):
        released.wait(20)
        return Allow()

    service = Asked(answer, threads=1, patience=0.2, failures=2, pause=60)
    broker = guarded(service)
    try:
        assert knock(broker, "tank1", "water").code == UNAVAILABLE
        assert knock(broker, "tank2", "water").code == UNAVAILABLE  # waits for the thread
        assert knock(broker, "tank3", "water").code == UNAVAILABLE  # the breaker is open
        assert service.whom == ["tank1"]
        assert (service.failed, service.short_circuited) == (2, 1)
        assert "no answer within 0.2 s" in caplog.text
    finally:
        released.set()


def test_too_many_that_wait_are_refused_at_once(guarded):
    released = threading.Event()
    service = Asked(lambda client: released.wait(20) and Allow(), threads=1)
    service._workers._waiting = 2
    broker = guarded(service)
    try:
        waiting = [
            threading.Thread(target=knock, args=(broker, f"t{n}", "water"), daemon=True) for n in range(3)
        ]
        for number, one in enumerate(waiting):
            one.start()
            eventually(lambda number=number: service.asked == number + 1)
        eventually(lambda: len(service._workers._tasks) == 2)
        assert knock(broker, "one more", "water").code == BUSY
    finally:
        released.set()
    for one in waiting:
        one.join(10)


def test_threads_end_with_the_broker_which_can_be_started_again(guarded):
    broker = guarded(Asked(lambda client: Allow(), name="threads-end"))
    assert knock(broker, "tank", "water").code == 0

    def threads():
        return [one for one in threading.enumerate() if one.name.startswith("hookmq-auth-threads-end")]

    assert threads()
    broker.stop()
    assert threads() == []
    broker.start()
    assert knock(broker, "tank", "water").code == 0


def test_a_service_that_is_added_later_asks_who_comes_later(broker):
    assert knock(broker, "tank", "wrong").code == 0
    service = Asked(lambda client: Deny("no", code=BAD_LOGIN))
    broker.authenticate_with(service)
    assert knock(broker, "tank", "wrong").code == BAD_LOGIN
    broker.stop()  # its threads end, although the broker ran before it


def test_it_can_be_asked_without_a_broker():
    service = Asked(lambda client: Identity("north"))
    assert service.decide(client("tank", "water")) == Identity("north")
    assert "Asked asked: asked" in repr(service)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ttl", -1),
        ("ttl", "60"),
        ("threads", 0),
        ("patience", 0),
        ("failures", True),
        ("pause", float("nan")),
    ],
)
def test_options_that_cannot_be(option, value):
    with pytest.raises(ValueError, match=rf"^{option} is a number from .*, not {value!r}$"):
        Asked(None, **{option: value})
