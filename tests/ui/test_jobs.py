"""The page of jobs: run now, pause, the last error."""

from __future__ import annotations

import pytest

from hookmq import every

from .plant import wait_for


@pytest.fixture
def jobs(dashboard):
    dashboard.runs = []

    @dashboard.broker.schedule(every(1).hours)
    def sweep():
        dashboard.runs.append(1)

    @dashboard.broker.schedule(every(1).hours)
    def breaks():
        raise RuntimeError("no more paper")

    return dashboard


def row(page, name):
    return page.locator("tbody tr").filter({"hasText": name})


def test_run_now(jobs):
    with jobs.open("#/jobs", role="operator") as page:
        assert "never yet" in row(page, "sweep").innerText()
        assert "every hour" in row(page, "sweep").innerText()
        page.getByRole("button", {"name": "Run now: sweep"}).click()
        wait_for(lambda: jobs.runs == [1])
        page.until("/sweep[\\s\\S]*well/.test(document.querySelector('tbody').innerText)")


def test_a_job_that_fails_shows_where(jobs):
    with jobs.open("#/jobs") as page:
        page.getByRole("button", {"name": "Run now: breaks"}).click()
        page.getByRole("button", {"name": "failed 1 time: breaks"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByText("RuntimeError: no more paper").waitFor()
        assert 'raise RuntimeError("no more paper")' in dialog.locator(".is-raised .is-marked").innerText()


def test_pause(jobs):
    with jobs.open("#/jobs") as page:
        page.getByRole("button", {"name": "Pause: sweep"}).click()
        page.getByRole("button", {"name": "Resume: sweep"}).waitFor()
        assert {job.name: job.paused for job in jobs.broker.jobs} == {"sweep": True, "breaks": False}
        page.getByRole("button", {"name": "Resume: sweep"}).click()
        page.getByRole("button", {"name": "Pause: sweep"}).waitFor()
    assert not any(job.paused for job in jobs.broker.jobs)


def test_a_broker_without_jobs_teaches(dashboard):
    with dashboard.open("#/jobs") as page:
        assert "every(10).seconds" in page.locator(".snippet").innerText()
