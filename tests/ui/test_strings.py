"""Whatever a client calls itself or sends is shown as text: none of it ever becomes part of the page."""

from __future__ import annotations

import json

import pytest

from .mqtt import connected
from .plant import wait_for

STRINGS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "<svg><script>window.hit=1</script></svg>",
    "<iframe srcdoc='<script>parent.hit=1</script>'>",
    "<body onload=window.hit=1>",
    "<input autofocus onfocus=window.hit=1>",
    "<details open ontoggle=window.hit=1>",
    "<video><source onerror=window.hit=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    "<a href='javascript:window.hit=1'>x</a>",
    "javascript:window.hit=1",
    "data:text/html,<script>parent.hit=1</script>",
    "'-window.hit-'",
    '"-window.hit-"',
    '" onmouseover="window.hit=1',
    "' onmouseover='window.hit=1",
    '"><script>window.hit=1</script>',
    "'><img src=x onerror=window.hit=1>",
    "</title><script>window.hit=1</script>",
    "</textarea><script>window.hit=1</script>",
    "</style><script>window.hit=1</script>",
    "</pre><img src=x onerror=window.hit=1>",
    "--><script>window.hit=1</script>",
    "]]><script>window.hit=1</script>",
    "${window.hit=1}",
    "`${window.hit=1}`",
    "{{constructor.constructor('window.hit=1')()}}",
    "\\u003cscript\\u003ewindow.hit=1\\u003c\\u002fscript\\u003e",
    "&lt;script&gt;window.hit=1&lt;/script&gt;",
    "%3Cscript%3Ewindow.hit=1%3C%2Fscript%3E",
    "<scr<script>ipt>window.hit=1</scr</script>ipt>",
    "<SCRIPT SRC=//127.0.0.1:1/x.js></SCRIPT>",
    "<link rel=stylesheet href=//127.0.0.1:1/x.css>",
    "<base href=//127.0.0.1:1/>",
    "<meta http-equiv=refresh content='0;url=//127.0.0.1:1'>",
    "<form action=//127.0.0.1:1><button>x</button></form>",
    "<object data='javascript:window.hit=1'></object>",
    "<style>*{background:url(//127.0.0.1:1)}</style>",
    "__proto__",
    "constructor",
    "\u202egnp.evil",
    "🙂 日本語",
]

ELEMENTS = (
    "script:not([src]), img:not([src*='dashboard/']), iframe, object, video, math, style, form[action], "
    "meta[http-equiv=refresh], a[href^='javascript:']"
)
"""What none of the pages has: an element that one of the strings has become."""


@pytest.fixture
def hostile(dashboard):
    """A dashboard whose broker has met all of the strings: as topics, clients, users, payloads and errors."""
    broker = dashboard.broker

    @broker.on_message_received("x/#")
    def fails(msg):
        raise ValueError(msg.text)

    for n, string in enumerate(STRINGS):
        topic = string.replace("+", "").replace("#", "")
        broker.publish(f"y/{topic}", string, retain=True)
        broker.ban(username=f"{n} {string}", reason=string)
        with connected(
            broker, string, f"sub/{topic}", username=string, will=(f"w/{topic}", string), expiry=60
        ) as client:
            client.publish(f"x/{topic}", json.dumps({string: string}), qos=1).wait_for_publish(10)
    for n, string in enumerate(STRINGS[:12]):
        text = string.replace("'", "''")
        rule = {"name": f"r{n}", "sql": f"SELECT '{text}' AS t FROM \"x/#\"", "description": string}
        dashboard.post(
            "rules",
            rule | {"actions": [{"kind": "republish", "topic": "z/1", "payload": string.replace("${", "$")}]},
        )
    wait_for(lambda: next(hook.errors for hook in broker.hooks if hook.name == "fails") == len(STRINGS))
    return dashboard


PLACES = [
    "overview", "clients", "clients?tab=bans", "subscriptions", "subscriptions?topic=x/<script>window.hit=1",
    "retained", "hooks", "hooks/fails", "rules", "rules/r1", "jobs", "logs", "settings", "security",
    "bridges", "topics", "history?filter=x/%23",
]  # fmt: skip


def test_strings_are_shown_as_text(hostile, figures):
    shown = 0
    with hostile.open("#/overview") as page:
        for place in [*PLACES, *(f"clients/{encoded(string)}" for string in STRINGS[:40])]:
            page.goto(f"{hostile.url}#/{place}")
            page.settle()
            page.waitForTimeout(100)
            assert page.evaluate("window.hit ?? null") is None, place
            strangers = page.evaluate(
                f'[...document.querySelectorAll("{ELEMENTS}")].map((one) => one.outerHTML)'
            )
            assert strangers == [], place
            shown += 1
        page.goto(f"{hostile.url}#/clients/{encoded(STRINGS[1])}")
        page.getByRole("heading", {"name": STRINGS[1]}).waitFor()
        page.goto(f"{hostile.url}#/retained")
        page.getByText(STRINGS[0], {"exact": True}).first().waitFor()
        page.goto(f"{hostile.url}#/hooks/fails")
        page.getByText("ValueError").first().waitFor()
        assert page.evaluate("window.hit ?? null") is None
    figures(f"{len(STRINGS)} hostile strings on {shown} pages, 0 hits")


def encoded(string):
    from urllib.parse import quote

    return quote(string, safe="")
