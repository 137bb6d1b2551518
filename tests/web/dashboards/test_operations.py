"""Dashboards over HTTP: who may, versions, links, import and export."""

from __future__ import annotations

import http.client
import json

import pytest

TANK = {
    "title": "Tanks",
    "widgets": [{"id": "a", "kind": "line", "topic": "tank/+", "path": "v", "span": 3600}],
}


class Api:
    """A program that asks the API, as somebody or as nobody."""

    def __init__(self, site, token=None):
        self._site, self._token = site, token

    def __call__(self, method, path, body=None, **headers):
        given = {"X-HookMQ": "1", "Content-Type": "application/json"}
        if self._token:
            given["Authorization"] = f"Bearer {self._token}"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self._site.http_port, timeout=20)
        data = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1/{path}", data, given)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.headers = answer.headers
        return answer.status, json.loads(text) if text else None


@pytest.fixture
def site(broker_factory):
    return broker_factory(http_port=0)


@pytest.fixture
def api(site):
    return Api(site)


def test_versions_are_kept_apart(api):
    status, made = api("POST", "dashboards", TANK)
    assert status == 201 and made["version"] == 1 and api.headers["Location"] == f"dashboards/{made['id']}"
    path = f"dashboards/{made['id']}"
    status, shown = api("GET", path)
    assert (status, shown) == (200, made)
    tag = api.headers["ETag"]
    assert api("GET", path, If_None_Match=tag)[0] == 304
    status, changed = api("PUT", path, shown | {"title": "All"}, If_Match=tag)
    assert (status, changed["version"], changed["title"]) == (200, 2, "All")
    assert api("PUT", path, TANK, If_Match=tag)[0] == 412
    assert api("DELETE", path, If_Match=tag)[0] == 412
    assert api("PUT", path, TANK)[1]["version"] == 3  # whoever names none means any
    status, listed = api("GET", "dashboards")
    assert (listed["total"], listed["items"][0]["widgets"], listed["items"][0]["version"]) == (1, 1, 3)
    assert api("DELETE", path)[0] == 204
    assert api("GET", path)[0] == api("PUT", path, TANK)[0] == api("DELETE", path)[0] == 404


def test_problems_name_the_member(api):
    widget = {"id": "a", "kind": "gauge", "options": {"sweep": 7}}
    status, problem = api("POST", "dashboards", {"title": "T", "widgets": [widget]})
    assert status == 400 and "`widgets[0].options.sweep` is 7" in problem["detail"]
    status, problem = api("POST", "dashboards", {"title": "T", "widgets": [{"id": "a", "kind": "gage"}]})
    assert status == 400 and "`widgets[0].kind`" in problem["detail"] and "gauge" in problem["detail"]


def test_an_export_is_imported(api):
    _, made = api("POST", "dashboards", TANK)
    _, exported = api("GET", f"dashboards/{made['id']}")
    status, again = api("POST", "dashboards", exported)
    assert status == 201 and again["id"] != made["id"] and again["widgets"] == made["widgets"]


def test_roles(site):
    access = site._console.access
    access.add_account("anna", "correct horse", "admin")
    viewer, operator, admin = (
        Api(site, access.add_token(role, role)[1]) for role in ("viewer", "operator", "admin")
    )
    nobody = Api(site)
    assert viewer("POST", "dashboards", TANK)[0] == 403
    _, made = operator("POST", "dashboards", TANK)
    path = f"dashboards/{made['id']}"
    assert viewer("GET", path)[0] == 200 and viewer("PUT", path, TANK)[0] == viewer("DELETE", path)[0] == 403
    assert operator("POST", f"{path}/share")[0] == 403
    assert nobody("GET", path)[0] == nobody("GET", "dashboards")[0] == nobody("GET", "widgets")[0] == 401
    status, link = admin("POST", f"{path}/share")
    assert status == 200 and link["url"] == f"#/shared/{link['token']}"
    assert admin("GET", path)[1]["shared"] is True and link["token"] not in str(admin("GET", path)[1])
    assert nobody("GET", f"shared/{link['token']}")[1]["widgets"] == made["widgets"]
    assert nobody("GET", f"shared/{link['token']}x")[0] == 404
    assert admin("DELETE", f"{path}/share")[0] == 204
    assert nobody("GET", f"shared/{link['token']}")[0] == 404


def test_the_chart_of_a_link_shows_what_the_widget_shows(site, api):
    widgets = [
        *TANK["widgets"],
        {"id": "b", "kind": "line", "topic": "tank/1", "path": "v", "span": 3600},
        {"id": "c", "kind": "gauge", "topic": "secret", "path": "v", "span": 3600},
        {"id": "d", "kind": "area", "topic": "secret", "path": "v"},
        {"id": "e", "kind": "bar", "topic": "tank/1", "path": "v", "span": 0.001},
    ]
    _, made = api("POST", "dashboards", {"title": "T", "widgets": widgets})
    token = api("POST", f"dashboards/{made['id']}/share")[1]["token"]
    for number in range(3):
        site.publish("tank/1", {"v": number})
        site.publish("tank/2", {"v": -number})
        site.publish("secret", {"v": 1})
    status, chart = api("GET", f"shared/{token}/chart?widget=a")
    assert status == 200 and {one["topic"] for one in chart["series"]} == {"tank/1", "tank/2"}
    status, chart = api("GET", f"shared/{token}/chart?widget=b&points=10&since=10m")
    assert [one["topic"] for one in chart["series"]] == ["tank/1"]
    assert sum(point[4] for point in chart["series"][0]["points"]) == 3
    for one in "cd":  # they show what is, not what was
        status, refused = api("GET", f"shared/{token}/chart?widget={one}&since=3650d")
        assert status == 409 and "draws no history" in refused["detail"]
    for since in ("3650d", "0", "1h"):
        (series,) = api("GET", f"shared/{token}/chart?widget=e&since={since}")[1]["series"]
        assert series["points"] == []
    assert api("GET", f"shared/{token}/chart?widget=e&since=never")[0] == 400
    assert api("GET", f"shared/{token}/chart?widget=none")[0] == 404
    assert api("GET", f"shared/{token}/chart?widget=a&topic=secret")[0] == 400
    assert api("GET", f"shared/{token}/chart?widget=a&filter=%23")[0] == 400


def test_they_survive_a_restart(broker_factory, tmp_path):
    first = broker_factory(http_port=0, data_dir=tmp_path / "data")
    _, made = Api(first)("POST", "dashboards", TANK)
    token = Api(first)("POST", f"dashboards/{made['id']}/share")[1]["token"]
    first.stop()
    second = broker_factory(http_port=0, data_dir=tmp_path / "data")
    assert Api(second)("GET", f"shared/{token}")[1]["widgets"] == made["widgets"]
