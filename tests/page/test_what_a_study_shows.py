"""What others built is read in the page: a raw table mended by what is offered, the worker's plots, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.datasets import penguins
from tests.page.browser import drop, tab, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.service import Service

pytestmark = pytest.mark.e2e

FILLED = "[...document.querySelectorAll('figure img')].every((one) => one.complete && one.naturalWidth > 0)"


def test_a_raw_table_is_mended_by_one_button_previewed_and_submitted(
    browser: Browser, url: str, service: Service
) -> None:
    with tab(browser, url, allowed=frozenset({422})) as watched:
        page = watched.page
        watched.open("#/new")
        page.get_by_role("button", name="My own table").click()
        drop(page, "penguins.csv", penguins.raw().decode())
        page.get_by_text("The table was not taken.").wait_for()
        assert page.locator("#upload-file").evaluate("one => one.files[0].name") == "penguins.csv"
        assert violations(page) == []
        page.get_by_role("button", name="All that is proposed").click()
        page.get_by_text("penguins was read").wait_for()
        columns = page.get_by_role("region", name="Columns", exact=True).inner_text()
        assert "bill_length_mm" in columns
        assert "Adelie (15), Chinstrap (10), Gentoo (13)" in columns
        assert "island" not in columns
        assert page.get_by_role("region", name="First 10 rows").locator("tbody tr").count() == 10
        assert violations(page) == []
        page.get_by_label("Depths").fill("2, 4")
        page.get_by_text("Depths 2, 4 and the limit").wait_for()
        page.get_by_role("button", name="Start it").click()
        page.get_by_role("heading", level=1, name="penguins").wait_for()
        job = service.job(page.url.rsplit("/", 1)[1])
        assert job["spec"]["data"]["validation_fraction"] == 0.2
        page.get_by_role("button", name="Cancel").click()
        page.locator(".badge.cancelled, .badge.succeeded").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plots_of_the_worker_load_and_run_without_evaluating_text(
    browser: Browser, url: str, service: Service, studies: list[dict[str, Any]], scheme: Any
) -> None:
    plots = service.client.get(studies[0]["links"]["plots"]).json()["plots"]
    with tab(browser, url, color_scheme=scheme) as watched:
        page = watched.page
        watched.open(f"#/jobs/{studies[0]['id']}")
        pictures = page.locator("section", has=page.get_by_role("heading", name="Pictures", exact=True))
        pictures.locator("img").first.wait_for()
        shown = [one.get_attribute("alt") for one in pictures.locator("img").all()]
        assert shown == [plot["description"] for plot in plots]
        page.evaluate("document.querySelectorAll('img').forEach((one) => { one.loading = 'eager'; })")
        page.wait_for_function(FILLED)
        for plot in plots:
            page.get_by_role("button", name=f"Point at the values of {plot['title']}", exact=True).click()
        drawn = pictures.locator(".chart[data-drawn]")
        drawn.nth(len(plots) - 1).wait_for()
        assert drawn.count() == len(plots)
        papers = {one.evaluate("one => getComputedStyle(one).backgroundColor") for one in drawn.all()}
        assert papers == {"rgb(255, 255, 255)"}, "their colours are made for white"
        assert page.get_by_text("could not be drawn").count() == 0
        assert "null" not in page.locator("main").inner_text()
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_the_report_is_accessible(
    browser: Browser, url: str, studies: list[dict[str, Any]], width: str, scheme: Any
) -> None:
    with tab(browser, url, width=width, color_scheme=scheme) as watched:
        watched.page.goto(url + studies[0]["links"]["report"])
        watched.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert violations(watched.page) == []
        assert watched.overflow() == 0


def test_the_report_is_read_in_a_frame_that_runs_nothing(
    browser: Browser, url: str, studies: list[dict[str, Any]]
) -> None:
    with tab(browser, url) as watched:
        watched.open(f"#/jobs/{studies[0]['id']}")
        watched.page.get_by_text("Read the report here").click()
        watched.page.frame_locator("iframe.report").get_by_role("heading", level=1).wait_for()
        assert watched.page.locator("iframe.report").get_attribute("sandbox") == ""
