"""Widgets: what they make of payloads, how they look with any of them, and what they publish."""

from __future__ import annotations

import base64
import itertools
import json
import queue
import zlib

import paho.mqtt.client as paho
import pytest

from hookmq.web.json_path import find, parse_path

KINDS = [
    "value", "line", "area", "bar", "gauge", "vertical", "horizontal", "tank", "led", "switch", "button",
    "slider", "text", "number", "table", "log", "map", "image", "python",
]  # fmt: skip
THRESHOLDS = [{"at": 0, "color": "ok"}, {"at": 60, "color": "warning"}, {"at": 80, "color": "error"}]
HOSTILE = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>\"'`${window.hit=1}{{hit}}"


def png() -> bytes:
    """A picture of four red pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)

    pixels = zlib.compress(b"\0\xff\0\0\xff\0\0" * 2)
    head = (2).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class Client:
    """A client that says what it received, and can follow commands as a device does."""

    def __init__(self, port: int) -> None:
        self.received: queue.Queue[tuple[str, str]] = queue.Queue()
        self.follow: dict[str, str] = {}
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "device", protocol=paho.MQTTv5)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        ready: queue.Queue[None] = queue.Queue()
        self._client.on_subscribe = lambda *_: ready.put(None)
        self._client.subscribe("device/#", 1)
        ready.get(timeout=10)

    def _take(self, client, _, message) -> None:
        if message.topic in self.follow:
            client.publish(self.follow[message.topic], message.payload)
        elif not message.retain:
            self.received.put((message.topic, message.payload.decode()))

    def next(self) -> tuple[str, str]:
        """The next command that came."""
        return self.received.get(timeout=10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def device(dashboard):
    client = Client(dashboard.broker.port)
    yield client
    client.close()


def board_of(dashboard, *widgets, title="Board"):
    """Make a dashboard of widgets {kind, …}, side by side, and return its id."""
    placed = [
        {
            "id": f"w{n}",
            "x": (n % 3) * 4,
            "y": (n // 3) * 4,
            "w": 4,
            "h": 4,
            "title": widget["kind"],
            **widget,
        }
        for n, widget in enumerate(widgets)
    ]
    return dashboard.post("dashboards", {"title": title, "widgets": placed})["id"]


def shown(page, number=0):
    """Where the n-th widget is."""
    return page.locator(f'[data-id="w{number}"]')


def says(page, number, text):
    """Wait until a widget shows a text."""
    page.until(f"document.querySelector('[data-id=w{number}]').innerText.includes({json.dumps(text)})")


def calls(page, module, expression):
    """What an expression gives that uses a module of the widgets as `m`."""
    load = f"import(new URL('dashboard/js/widgets/{module}.js', document.baseURI.split('#')[0]))"
    return page.evaluate(f"{load}.then((m) => {expression})")


def test_paths_find_what_the_broker_finds(dashboard):
    value = {"a": {"b": [{"c": 5}, 7]}, "d e": 1, "f": None, "1": "one"}
    paths = [
        "", "a", "a.b[0].c", "a.b[1]", "a.b[-1]", "a.b[2]", "a.b.length", "a.constructor", "d e", '["d e"]',
        "f", "f.g", "[0]", "1",
    ]  # fmt: skip
    with dashboard.open("#/dashboards") as page:
        asked = {path: f"m.find({json.dumps(value)}, {json.dumps(path)}) ?? null" for path in paths}
        found = {path: calls(page, "reading", asked[path]) for path in paths}
    assert found == {path: find(value, parse_path(path)) for path in paths}


def test_numbers_are_shown_as_people_write_them(dashboard):
    cases = {
        "m.showNumber(21.375, null, 'en')": "21.38",
        "m.showNumber(21.375, 1, 'en')": "21.4",
        "m.showNumber(-1234567.89, null, 'en')": "-1,234,567.9",
        "m.showNumber(1.234e15, null, 'en')": "1.23×10¹⁵",
        "m.showNumber(-0.0000123, null, 'en')": "-1.23×10⁻⁵",
        "m.showNumber(0, null, 'en')": "0",
        "m.show(87, {unit: '%'}, 'en')": "87%",
        "m.show(87, {unit: 'kWh'}, 'en')": "87 kWh",
        "m.show('open', {unit: 'kWh'}, 'en')": "open",
        "m.show(true, {}, 'en')": "true",
        "m.toNumber(' 12.5 ')": 12.5,
        "m.toNumber('12 l')": None,
        "m.toNumber('')": None,
        "m.toNumber(true)": 1,
        "m.levelOf(79.9, [{at: 80, color: 'error'}, {at: 60, color: 'warning'}])": "warning",
        "m.levelOf(-1, [{at: 0, color: 'ok'}])": "",
        "m.isOn('RUN', {on: 'RUN'})": True,
        "m.isOn('stop', {off: 'stop'})": False,
        "m.isOn(0)": False,
        "m.isOn('Yes')": True,
        "m.isOn(null)": None,
        "m.scaleOf({min: null, max: null})": {"min": 0, "max": 100},
        "m.scaleOf({min: 500, max: null})": {"min": 500, "max": 600},
        "m.scaleOf({min: null, max: -5})": {"min": -105, "max": -5},
        "m.shortNames(['plant/1/t', 'plant/2/t'])": ["1", "2"],
        "m.shortNames(['a', 'a/b'])": ["a", "a/b"],
        "m.fill('{\"set\": {value}}', 5)": '{"set": 5}',
        "m.fill('', 5)": "5",
    }
    with dashboard.open("#/dashboards") as page:
        found = {case: calls(page, "reading", case) for case in cases}
    assert found == cases


def test_scales_have_round_marks(dashboard):
    cases = {
        "m.ticks(0, 100, 5)": [0, 20, 40, 60, 80, 100],
        "m.ticks(-1, 1, 4)": [-1, -0.5, 0, 0.5, 1],
        "m.ticks(0, 1e12, 2).length <= 4": True,
        "m.place(150, 0, 100)": 1,
        "m.place(-1, 0, 100)": 0,
    }
    with dashboard.open("#/dashboards") as page:
        assert {case: calls(page, "shapes", case) for case in cases} == cases


def test_a_picture_is_known_by_its_bytes(dashboard):
    whole = base64.b64encode(png()).decode()
    twice = base64.b64encode(whole.encode()).decode()
    svg = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'></svg>"
    cases = {
        f"m.pictureOf({{payload_base64: '{whole}'}})?.type": "image/png",
        f"m.pictureOf({{payload_base64: '{twice}'}})?.type": "image/png",
        f"m.pictureOf({{value: '{whole}'}})?.type": "image/png",
        f"m.pictureOf({{value: 'data:image/png;base64,{whole}'}})?.type": "image/png",
        f'm.pictureOf({{value: "{svg}"}})?.type': "image/svg+xml",
        "m.pictureOf({value: '<html><script>1</script></html>'})": None,
        "m.pictureOf({value: 'no picture'})": None,
        "m.pictureOf({value: 5})": None,
    }
    with dashboard.open("#/dashboards") as page:
        assert {case: calls(page, "image", case) for case in cases} == cases


def test_places_are_found_by_their_usual_names(dashboard):
    def point(value, options=None):
        widget = json.dumps({"path": "", "options": options or {}})
        row = json.dumps({"topic": "car", "at": 1, "value": value})
        made = calls(page, "map", f"m.pointOf({row}, {widget})")
        return made and (made["latitude"], made["longitude"])

    with dashboard.open("#/dashboards") as page:
        assert point({"lat": 52.5, "lon": 13.4}) == (52.5, 13.4)
        assert point({"latitude": "52.5", "longitude": "13.4"}) == (52.5, 13.4)
        assert point({"gps": {"lat": 1, "lng": 2}}) == (1, 2)
        assert point({"type": "Point", "coordinates": [13.4, 52.5]}) == (52.5, 13.4)
        assert point([52.5, 13.4]) == (52.5, 13.4)
        assert point({"p": {"n": 1, "e": 2}}, {"latitude": "p.n", "longitude": "p.e"}) == (1, 2)
        assert point({"lat": 91, "lon": 0}) is None
        assert point("nowhere") is None


PAYLOADS = {
    "number": "42.5",
    "huge": "-1.7e308",
    "object": '{"level": 42.5, "lat": 52.5, "lon": 13.4}',
    "hostile": HOSTILE,
    "bytes": bytes(range(256)),
    "empty": "",
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_kind_takes_every_payload(dashboard, name):
    """Nothing breaks, nothing in a payload, title or unit becomes part of the page, and axe finds nothing."""
    widgets = [
        {
            "kind": kind, "topic": "device/state", "title": f"{kind} {HOSTILE}"[:200], "unit": "<b>u</b>",
            "thresholds": THRESHOLDS, "options": {"widget": "none"} if kind == "python" else {},
        }
        for kind in KINDS
    ]  # fmt: skip
    board = board_of(dashboard, *widgets)
    dashboard.broker.publish("device/state", PAYLOADS[name], retain=True)
    with dashboard.open(f"#/dashboards/{board}", width=1400, height=2200) as page:
        page.until("document.querySelectorAll('.widget .w-body > *').length >= 19")
        dashboard.broker.publish("device/state", PAYLOADS[name], retain=True)
        page.waitForTimeout(600)  # a few frames of the live feed
        found = []
        for theme in ["light", "dark"] if name in {"number", "object"} else ["light"]:
            page.emulateMedia({"colorScheme": theme})
            found += [f"{theme}: {each['id']} {each['nodes']}" for each in page.axe()]
        assert page.missing_texts() == []
        assert page.evaluate("window.hit ?? null") is None
        assert page.locator(".widget img[src='x'], .widget script, .widget b > u").count() == 0
    assert not found, "\n".join(found)


def test_values_are_drawn_with_their_level(dashboard):
    kinds = ["value", "gauge", "vertical", "horizontal", "tank"]
    more = {"topic": "device/state", "path": "level", "unit": "%", "thresholds": THRESHOLDS}
    board = board_of(dashboard, *[{"kind": kind, **more} for kind in kinds])
    dashboard.broker.publish("device/state", {"level": 42}, retain=True)
    with dashboard.open(f"#/dashboards/{board}") as page:
        for n in range(len(kinds)):
            page.until(f"document.querySelector('[data-id=w{n}] [role=img][aria-label^=\"42%\"]')")
            assert shown(page, n).locator(".w-head .w-level").count() == 0
        dashboard.broker.publish("device/state", {"level": 90}, retain=True)
        for n in range(len(kinds)):
            page.until(f"document.querySelector('[data-id=w{n}] .w-head .w-level[data-level=error]')")
            assert shown(page, n).locator(".w-head .w-level").getAttribute("aria-label") == "Error"


def test_what_is_missing_is_said(dashboard):
    board = board_of(
        dashboard,
        {"kind": "gauge", "topic": "device/nothing"},
        {"kind": "gauge", "topic": "device/state"},
        {"kind": "value"},
    )
    dashboard.broker.publish("device/state", {"level": 5}, retain=True)
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "Waiting for a first message")
        says(page, 1, "choose a path to a number")
        says(page, 2, "No topic is chosen")


def test_a_switch_publishes_and_follows_its_state(dashboard, device):
    device.follow["device/pump/set"] = "device/pump"
    options = {
        "command": "device/pump/set",
        "on": "start",
        "off": "stop",
        "on_label": "Running",
        "off_label": "Stopped",
    }
    board = board_of(
        dashboard, {"kind": "switch", "topic": "device/pump", "title": "Pump", "options": options}
    )
    dashboard.broker.publish("device/pump", "stop", retain=True)
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "Stopped")
        switch = page.getByRole("switch", {"name": "Pump"})
        switch.click()
        page.until("document.querySelector('[role=switch]').ariaChecked === 'true'")
        page.until("document.querySelector('[role=switch]').getAttribute('aria-busy') === 'false'")
        says(page, 0, "Running")
        dashboard.broker.publish("device/pump", "stop")  # somebody else
        says(page, 0, "Stopped")


def test_a_switch_whose_device_does_not_answer_says_so(dashboard, device):
    options = {"command": "device/pump/set", "timeout": 1}
    board = board_of(
        dashboard, {"kind": "switch", "topic": "device/pump", "title": "Pump", "options": options}
    )
    dashboard.broker.publish("device/pump", "0", retain=True)
    assert device.next() == ("device/pump", "0")
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "Off")
        page.getByRole("switch").click()
        assert device.next() == ("device/pump/set", "1")
        says(page, 0, "On")
        says(page, 0, "No answer on device/pump")
        assert page.getByRole("switch").getAttribute("aria-checked") == "false"


def test_controls_publish_what_they_say(dashboard, device):
    gate = {"command": "device/gate", "payload": "open", "label": "Open", "confirm": True}
    speed = {"command": "device/speed", "step": 1, "template": '{"rpm": {value}}'}
    board = board_of(
        dashboard,
        {"kind": "button", "title": "Gate", "options": gate},
        {"kind": "slider", "title": "Speed", "min": 0, "max": 10, "options": speed},
        {"kind": "number", "title": "Target", "min": 5, "max": 30, "options": {"command": "device/target"}},
    )  # fmt: skip
    with dashboard.open(f"#/dashboards/{board}") as page:
        page.getByRole("button", {"name": "Open", "exact": True}).click()
        page.getByRole("button", {"name": "Open: sure?"}).click()
        assert device.next() == ("device/gate", "open")
        says(page, 0, "Sent")
        slider = page.getByRole("slider", {"name": "Speed"})
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert device.next() == ("device/speed", '{"rpm": 1}')
        target = page.getByRole("spinbutton", {"name": "Target"})
        target.fill("31")
        says(page, 2, "From 5 to 30")
        assert page.getByRole("button", {"name": "Set"}).isDisabled()
        target.fill("21.5")
        page.keyboard.press("Enter")
        assert device.next() == ("device/target", "21.5")


def test_a_viewer_sees_controls_that_do_nothing(dashboard):
    board = board_of(
        dashboard,
        {"kind": "switch", "topic": "device/a"},
        {"kind": "button", "options": {"command": "device/b"}},
        {"kind": "slider", "topic": "device/c"},
        {"kind": "number", "topic": "device/d"},
    )
    with dashboard.open(f"#/dashboards/{board}", role="viewer") as page:
        page.until("document.querySelectorAll('.w-control').length === 4")
        assert page.locator(".w-control button:enabled, .w-control input:enabled").count() == 0
        says(page, 0, "Only to look at")
        assert page.getByRole("button", {"name": "Edit"}).count() == 0


def test_charts_have_a_line_for_each_topic(dashboard):
    board = board_of(
        dashboard,
        {"kind": "line", "topic": "plant/+/level", "path": "level", "unit": "%"},
        {"kind": "bar", "topic": "plant/+/level", "path": "level", "unit": "%"},
    )
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "Waiting")
        for n in range(5):
            for plant in (1, 2):
                dashboard.broker.publish(f"plant/{plant}/level", {"level": 10 * plant + n})
            page.waitForTimeout(60)
        page.until("document.querySelectorAll('[data-id=w0] .w-legend li').length === 2")
        says(page, 0, "24%")
        told = "2: 24%, between 20 and 24"
        page.until(f"document.querySelector('[data-id=w0] [role=img]').ariaLabel.includes('{told}')")
        says(page, 1, "14%")


def test_a_chart_with_a_span_begins_with_the_history(plant):
    made = {
        "title": "B",
        "widgets": [{"id": "w0", "kind": "line", "topic": "tank/1/level", "w": 6, "h": 4, "span": 3600}],
    }
    board = plant.post("dashboards", made)["id"]
    with plant.open(f"#/dashboards/{board}") as page:
        page.until(
            "document.querySelector('[data-id=w0] [role=img]')?.ariaLabel.includes('between 32 and 72')"
        )


def test_tables_logs_maps_and_pictures(dashboard):
    board = board_of(
        dashboard,
        {"kind": "table", "topic": "car/+"},
        {"kind": "log", "topic": "car/+"},
        {"kind": "map", "topic": "car/+"},
        {"kind": "image", "topic": "camera"},
    )
    for n, name in enumerate(["berlin", "paris"]):
        dashboard.broker.publish(f"car/{name}", {"lat": 50 + n, "lon": 10 * n, "speed": 30 + n}, retain=True)
    dashboard.broker.publish("camera", png(), retain=True)
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "speed")
        page.until("document.querySelectorAll('[data-id=w0] tbody tr').length === 2")
        shown(page, 0).getByRole("button", {"name": "speed"}).click()
        shown(page, 0).getByRole("button", {"name": "speed"}).click()
        assert shown(page, 0).locator("tbody tr").first().locator("th").innerText() == "paris"
        page.until("document.querySelectorAll('[data-id=w2] .w-place').length === 2")
        page.until("document.querySelector('[data-id=w3] img')?.naturalWidth === 2")
        dashboard.broker.publish("car/berlin", {"lat": 50.1, "lon": 0.1, "speed": 32})
        page.until("document.querySelector('[data-id=w2] .w-track-line')")
        says(page, 1, '"speed":32')
        shown(page, 1).getByRole("button", {"name": "Hold"}).click()
        dashboard.broker.publish("car/berlin", {"lat": 50.2, "lon": 0.2, "speed": 77})
        page.until("document.querySelector('[data-id=w0]').innerText.includes('77')")
        assert "77" not in shown(page, 1).innerText()
        shown(page, 1).getByRole("button", {"name": "Go on"}).click()
        says(page, 1, '"speed":77')


def test_a_widget_of_the_app(broker_factory, dashboard_of):
    broker = broker_factory(http_port=0)
    numbers, state = itertools.count(), {"pump": "stands still"}

    @broker.widget("Stock", every=0.2)
    def stock():
        return [{"part": "bolt", "count": 5}, {"part": "nut", "count": 7}]

    @broker.widget("Broken", every=0.2)
    def broken():
        raise ValueError("the shelf is empty")

    @broker.widget("Load", every=0.2, kind="line")
    def load():
        return next(numbers)

    @broker.widget("Pump", every=0.2)
    def pump():
        return state["pump"]

    @pump.on_action
    def steer(value):
        state["pump"] = f"set to {value!r}"

    dashboard = dashboard_of(broker)
    names = ["stock", "broken", "load", "pump"]
    board = board_of(dashboard, *[{"kind": "python", "options": {"widget": name}} for name in names])
    with dashboard.open(f"#/dashboards/{board}") as page:
        says(page, 0, "bolt")
        says(page, 0, "count")
        says(page, 1, "the shelf is empty")
        page.until("document.querySelector('[data-id=w2] [role=img]')?.ariaLabel.includes('between 0 and ')")
        says(page, 3, "stands still")
        value = shown(page, 3).getByRole("textbox", {"name": "Value for pump"})
        value.fill("12")
        page.keyboard.press("Enter")
        says(page, 3, "set to 12")
        value.fill("fast")
        shown(page, 3).getByRole("button", {"name": "Run"}).click()
        says(page, 3, "set to 'fast'")
