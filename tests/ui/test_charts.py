"""Charts: what is said of a place in them, the keyboard, gaps, and what stands on top of each other."""

from __future__ import annotations

import json

TIP = "(document.querySelector('.chart .tip:not([hidden])')?.innerText ?? '')"
SAID = "document.querySelector('.chart + [aria-live]').textContent"


def calls(page, module, expression):
    """What an expression gives that uses a module of the page as `m`."""
    load = f"import(new URL('dashboard/js/{module}.js', document.baseURI.split('#')[0]))"
    return page.evaluate(f"{load}.then((m) => {expression})")


def columns(page, *series, window=""):
    """What is drawn of series of points; None is a gap, "-" where a series has nothing to say."""
    given = json.dumps([{"label": "x", **each} for each in series])
    plain = "[...column].map((each) => (each === undefined ? '-' : each))"
    return calls(page, "ui/charts", f"m.columns({given}{window}).map((column) => {plain})")


def test_a_line_is_broken_where_nothing_came(dashboard):
    often = [[n, n] for n in [*range(20), *range(60, 70)]]
    with dashboard.open("#/overview") as page:
        times, drawn = columns(page, {"points": often})
        assert drawn[times.index(39.5)] is None and drawn.count(None) == 1
        # What comes seldom has no gap, nor has a line of which the gap is hardly seen.
        assert None not in columns(page, {"points": [[n * 100, n] for n in range(30)]})[1]
        assert None not in columns(page, {"points": often}, window=", 0, 86400")[1]
        # A gap of one series is none of another.
        times, first, second = columns(
            page, {"points": often}, {"points": [[n, 1] for n in range(0, 70, 10)]}
        )
        assert first.count(None) == 1 and None not in second and second[times.index(39.5)] == "-"
        # Nor do bars have any.
        assert None not in columns(page, {"points": often, "kind": "bar"})[1]


def test_a_chart_is_walked_with_the_keyboard(plant):
    with plant.open("#/topics/tank%2F1%2Flevel") as page:
        page.locator(".numberbox").click()
        page.until("document.querySelector('.u-over') && document.querySelector('.legend strong')")
        page.locator(".chart").focus()
        page.keyboard.press("Home")
        # All readings of the plant are in one or two points: their mean, the least, the greatest, how many.
        page.until(f"/tank.1.level +[\\d.]+ \\([\\d.]+ – [\\d.]+, \\d+ values\\)/.test({TIP})")
        zone = page.evaluate(
            "new Intl.DateTimeFormat('en', {timeZoneName: 'short'}).formatToParts().at(-1).value"
        )
        page.until(f"{TIP}.includes({json.dumps(zone)}) && /:\\d\\d\\.\\d{{3}} /.test({TIP})")
        page.until(f"/level +[\\d.]+ .*values/.test({SAID})")
        page.keyboard.press("+")
        page.getByRole("button", {"name": "Back to live"}).waitFor()
        page.keyboard.press("Escape")
        page.until("!document.body.innerText.includes('Back to live')")
        page.locator(".numberbox").focus()
        page.until(f"{TIP} === ''")


def test_a_chart_is_part_of_the_address(plant):
    with plant.open("#/topics/tank%2F1%2Flevel") as page:
        page.locator(".numberbox").click()
        page.getByRole("radio", {"name": "24 h"}).click()
        page.goto(f"{plant.url}#/topics/home%2Fkitchen%2Fclimate")
        page.locator(".numberbox", {"hasText": "humidity"}).click()
        page.until("document.querySelectorAll('.legend li').length === 2")
        page.until("location.hash.includes('span=86400') && location.hash.includes('humidity')")
        address = page.evaluate("location.href")
        page.locator(".chart").focus()
        page.keyboard.press("+")
        page.until("location.hash.includes('zoom=')")
        page.reload()
        page.getByRole("button", {"name": "Back to live"}).waitFor()
        assert page.locator(".legend li").count() == 2
    with plant.page() as other:  # somebody who got the link
        other.goto(address)
        other.until("document.querySelectorAll('.legend li').length === 2")
        assert other.getByRole("radio", {"name": "24 h"}).isChecked()
        assert other.getByRole("button", {"name": "Back to live"}).count() == 0
        other.goto(f"{plant.url}#/topics/tank%2F1%2Flevel?chart=%5B1,%5B%22a%22%5D%5D&zoom=x_y")
        other.until("!document.querySelector('.legend') && !location.hash.includes('chart')")


def test_the_history_is_looked_at_closely_and_as_a_whole_again(plant):
    with plant.open("#/history?filter=tank/%23&tab=plot&range=24h") as page:
        page.until("document.querySelector('.u-over')")
        page.locator(".chart").focus()
        page.keyboard.press("+")
        page.until("location.hash.includes('range=own')")
        page.getByRole("button", {"name": "Whole range"}).click()
        page.until("location.hash.includes('range=24h')")
        assert page.getByRole("button", {"name": "Whole range"}).count() == 0
        page.locator(".chart").focus()
        page.keyboard.press("+")
        page.until("location.hash.includes('range=own')")
        page.reload()
        page.until("location.hash.includes('range=own') && document.querySelector('h1')")


def test_what_is_stacked_stands_on_what_is_below(dashboard):
    with dashboard.open("#/dashboards") as page:
        given = json.dumps([{"points": [[0, 1], [10, 3]]}, {"points": [[0, 5], [5, 5]]}])
        drawn = calls(page, "widgets/plot", f"m.stacked({given}, 'area').map(({{points}}) => points)")
        # The uppermost first. The first has 2 between its two points, the second its last value at the end.
        assert drawn == [[[0, 6, 5], [5, 7, 5], [10, 8, 5]], [[0, 1, 1], [5, 2, 2], [10, 3, 3]]]
        bars = json.dumps([{"points": [[0, 1]]}, {"points": [[0, -2]]}, {"points": [[0, 3]]}])
        drawn = calls(page, "widgets/plot", f"m.stacked({bars}, 'bar').map(({{points}}) => points[0])")
        assert drawn == [[0, 4, 3], [0, -2, -2], [0, 1, 1]]


def test_widgets_that_are_stacked(dashboard):
    options = {"stacked": True}
    kinds = [("bar", 0), ("bar", 300), ("area", 0), ("line", 0)]
    widgets = [
        {
            "id": f"w{n}",
            "kind": kind,
            "topic": "n/+",
            "span": span,
            "options": options,
            "x": n * 3,
            "w": 3,
            "h": 4,
        }
        for n, (kind, span) in enumerate(kinds)
    ]
    id = dashboard.post("dashboards", {"title": "Board", "widgets": widgets})["id"]
    with dashboard.open(f"#/dashboards/{id}") as page:
        page.until("document.querySelectorAll('[data-id]').length === 4")
        bars = "[...document.querySelectorAll('[data-id=w0] .w-bars-track i')]"
        for n in (30, 70):
            dashboard.broker.publish(f"n/{n}", str(n))
        page.until(f"{bars}.map((one) => one.style.left + ' ' + one.style.width).join() === '0% 30%,30% 70%'")
        for n in (1, 2, 3):
            chart = page.locator(f"[data-id=w{n}] .chart")
            chart.waitFor()
            page.until(f"/30.*70/.test(document.querySelector('[data-id=w{n}] .chart').ariaLabel)")
            chart.focus()
            page.keyboard.press("End")
            tip = TIP.replace(".chart", f"[data-id=w{n}] .chart")
            # What is said are the values, not where they stand: the upper one first, as in the picture.
            page.until(f"/70 +70[^]*30 +30/.test({tip})")
            inside = f"""(({{left, right}}, box) => left >= box.left && right <= box.right)(
              document.querySelector('[data-id=w{n}] .tip').getBoundingClientRect(),
              document.querySelector('[data-id=w{n}]').getBoundingClientRect())"""
            assert page.evaluate(inside)
