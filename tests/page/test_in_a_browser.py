"""The page in a real browser against the real service: submit, watch, read, cancel, refuse, upload, compare."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from service.api.main import create_app
from service.config import Settings
from service.jobstore import keys
from tests.page.browser import drop, error_of, tab, violations
from tests.page.studies import BIRDS, LONG, WITH_GAPS
from tests.support.api import serving
from tests.support.job_records import submit

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Route

    from service.jobstore import JobStore
    from tests.support.service import Service

pytestmark = pytest.mark.e2e


def test_submit_watch_and_read(browser: Browser, url: str) -> None:
    with tab(browser, url) as watched:
        page = watched.page
        watched.open("#/new")
        page.get_by_role("button", name="Two moons").click()
        page.get_by_label("Samples").fill("30")
        page.get_by_label("Depths").fill("4, 8")
        page.get_by_label("State dimension d").fill("")
        page.get_by_label("Regularisation").select_option("0.1: strong")
        page.get_by_label("Name").fill("from the page")
        page.get_by_role("button", name="All fields").click()
        assert page.get_by_label("Samples").input_value() == "30", "all views are of one draft"
        page.locator("summary", has_text="Training").click()
        page.get_by_label("Starts").fill("1")
        page.get_by_label("Sharpen").select_option("no")
        page.locator("summary", has_text="Continuum").click()
        page.get_by_label("Tolerance", exact=True).fill("1e-4")
        page.get_by_text("Depths 4, 8 and the limit").wait_for()
        page.get_by_role("button", name="Start it").click()
        page.get_by_role("heading", level=1, name="from the page").wait_for()
        assert page.evaluate("document.activeElement.tagName") == "H1"
        page.get_by_role("heading", name="What came out").wait_for(timeout=90_000)
        assert page.locator(".verdict .summary").inner_text()
        assert page.get_by_role("row", name=re.compile("^8 ")).first.is_visible()
        page.locator("figure").first.wait_for()
        page.get_by_role("link", name="New study like this").click()
        page.get_by_role("heading", level=1, name="New study").wait_for()
        assert page.get_by_label("Samples").input_value() == "30"
        assert page.get_by_label("Name").input_value() == "from the page, again"


FOLLOWED = """async () => {
  const { follow } = await import("./page/core/api.js");
  const asked = [], seen = [];
  const said = [[200, 1, '"1"'], [304, null, null], [200, 1, null], [200, 2, '"2"']];
  const others = window.fetch; // the view asks as well
  window.fetch = async (url, options) => {
    if (!String(url).endsWith("/v1/jobs/a")) return others(url, options);
    const { headers } = options;
    asked.push([performance.now(), headers["If-None-Match"] ?? null]);
    const [status, revision, tag] = said.shift();
    const body = revision === null ? null : JSON.stringify({ revision, done: revision === 2 });
    return new Response(body, { status, headers: tag === null ? {} : { ETag: tag } });
  };
  await follow("a", new AbortController().signal, (job) => seen.push(job.revision));
  return { seen, tags: asked.map(([, tag]) => tag), gaps: asked.slice(1).map(([at], i) => at - asked[i][0]) };
}"""


def test_a_proxy_that_drops_the_wish_to_wait_is_not_asked_without_pause(browser: Browser, url: str) -> None:
    with tab(browser, url) as watched:
        watched.open("#/new")
        found = watched.page.evaluate(FOLLOWED)
    assert (found["seen"], found["tags"]) == ([1, 2], [None, '"1"', '"1"', '"1"'])
    assert min(found["gaps"][1:]) > 900, "a second after each answer that is no news"


def test_the_objective_is_seen_falling_and_the_job_cancelled(browser: Browser, service: Service, url: str) -> None:
    with tab(browser, url) as watched:
        page = watched.page
        job_id = service.submit(LONG)
        watched.open(f"#/jobs/{job_id}")
        page.locator(".chart[data-drawn]").wait_for(timeout=60_000)
        readings = page.locator("figcaption span")
        first = int(readings.inner_text().split()[0])
        page.wait_for_function(
            "(n) => parseInt(document.querySelector('figcaption span').textContent) > n + 1", arg=first
        )
        assert 0 < page.get_by_role("progressbar").evaluate("bar => bar.value") < 1
        assert "E = " in page.get_by_text(re.compile(r"\d %")).first.inner_text()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("It was cancelled before there were results.").wait_for(timeout=60_000)
        assert page.get_by_role("button", name="Cancel").count() == 0
        assert "is cancelled" in page.locator("#announcer").inner_text()
    assert service.job(job_id)["status"] == "cancelled"


def test_a_bad_specification_is_explained_at_its_fields(browser: Browser, url: str) -> None:
    with tab(browser, url, allowed=frozenset({422})) as watched:
        page = watched.page
        watched.open("#/new")
        page.get_by_label("Samples").fill("2")
        page.get_by_label("State dimension d").fill("1")
        page.get_by_role("button", name="Start it").click()
        page.get_by_text("It does not hold up yet").wait_for()
        assert "must be at least 4" in error_of(page, "Samples")
        page.get_by_label("Samples").fill("30")
        page.get_by_text("at least the input dimension").first.wait_for()
        assert error_of(page, "Samples") is None
        assert "at least the input dimension" in error_of(page, "State dimension d")
        assert violations(page) == []
        page.get_by_label("Depths").fill("eight")
        assert "is not a number" in error_of(page, "Depths")
        page.get_by_role("button", name="JSON").click()
        page.get_by_label("Specification").fill(
            json.dumps({"kind": "train", "data": {"source": "builtin", "name": "iris"}, "networks": {}})
        )
        page.get_by_text("/networks").wait_for()
        page.get_by_role("button", name="All fields").click()
        page.locator("summary", has_text="Objective").click()
        page.get_by_role("group", name="Alpha").get_by_label("K", exact=True).fill("-1")
        page.get_by_text("must be greater than 0").first.wait_for()
        page.locator("summary", has_text="Objective").click()
        page.locator(".check").get_by_role("link", name="K").click()
        assert page.evaluate("document.activeElement.value") == "-1", "the way to a field unfolds what it is in"
        assert page.url.endswith("#/new")


def test_a_table_with_gaps_is_dropped_mended_and_trained_on(browser: Browser, url: str) -> None:
    with tab(browser, url, allowed=frozenset({422})) as watched:
        page = watched.page
        watched.open("#/new")
        page.get_by_role("button", name="My own table").click()
        drop(page, "birds.csv", WITH_GAPS)
        page.get_by_text("The table was not taken.").wait_for()
        assert violations(page) == []
        page.get_by_role("button", name="Leave out rows with a missing value").click()
        page.get_by_text("birds was read").wait_for()
        kept = page.locator(".box.good").first.inner_text()
        assert "24 samples, 2 inputs, 2 classes, 2 rows left out" in kept
        assert "Adelie (12)" in kept
        assert page.get_by_label("Name").input_value() == "birds"
        assert violations(page) == []
        page.get_by_label("Column to predict").select_option("flipper")
        page.get_by_text("The table was not taken.").wait_for()
        page.get_by_label("Column to predict").select_option("species, the last")
        page.get_by_text("birds was read").wait_for()
        page.get_by_label("Depths").fill("2, 4")
        page.get_by_label("Regularisation").select_option("0.1: strong")
        page.get_by_text("Depths 2, 4 and the limit").wait_for()
        page.get_by_role("button", name="Start it").click()
        page.get_by_role("heading", level=1, name="birds").wait_for()
        page.get_by_role("button", name="Cancel").click()
        page.locator(".badge.cancelled, .badge.succeeded").wait_for()


def test_a_file_is_chosen_by_keyboard_and_what_is_no_table_refused(browser: Browser, url: str, tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_text("x")
    (tmp_path / "plain.csv").write_text(BIRDS)
    with tab(browser, url) as watched:
        page = watched.page
        page.on("filechooser", lambda _: None)  # the browser hands choosers over from here on, well before the key
        watched.open("#/new")
        page.get_by_role("button", name="My own table").click()
        chooser = page.get_by_label("Drop a CSV here")
        chooser.focus()
        page.locator("#upload-file:focus").wait_for()
        with page.expect_file_chooser() as chosen:
            page.keyboard.press("Space")
        chosen.value.set_files(tmp_path / "table.xlsx")
        page.get_by_text("A file that ends in .xlsx is not read").wait_for()
        chooser.set_input_files(tmp_path / "plain.csv")
        page.get_by_text("24 samples, 2 inputs, 2 classes").wait_for()


def test_two_studies_are_compared(browser: Browser, url: str, studies: list[dict[str, Any]]) -> None:
    with tab(browser, url) as watched:
        page = watched.page
        watched.open("#/")
        button = page.get_by_role("button", name="Compare the two")
        assert button.is_disabled()
        for job in studies:
            page.locator(f"#tick-{job['id']}").check()
        button.click()
        page.get_by_role("heading", name="Both in one picture").wait_for()
        assert page.locator(".verdict").count() == 2
        head = page.get_by_role("region", name="Minima of both studies").locator("thead").inner_text()
        assert "<img src=x" in head, "a name is text"
        assert "a line" in head
        assert {job["id"] for job in studies} <= set(re.findall(r"[0-9a-f]{32}", page.url))
        page.locator(".chart[data-drawn]").first.wait_for()


def test_the_list_is_live_filtered_and_shows_names_as_text(
    browser: Browser, url: str, service: Service, studies: list[dict[str, Any]]
) -> None:
    with tab(browser, url) as watched:
        page = watched.page
        watched.open("#/")
        page.get_by_role("link", name=studies[0]["name"], exact=True).wait_for()
        assert page.locator("main img").count() == 0
        job_id = service.submit({**LONG, "name": "came later"})
        page.get_by_role("link", name="came later").wait_for()
        page.locator("li", has_text="came later").get_by_role("progressbar").wait_for(timeout=60_000)
        service.client.post(f"/v1/jobs/{job_id}/cancel")
        page.locator("li", has_text="came later").get_by_text("cancelled", exact=True).wait_for()
        page.get_by_label("State").select_option("succeeded")
        page.get_by_role("link", name="came later").wait_for(state="detached")
        page.get_by_label("State").select_option("failed")
        page.get_by_text("No study is like that.").wait_for()
        assert page.url.endswith("?status=failed")
        service.client.delete(f"/v1/jobs/{job_id}")


def test_a_key_is_asked_for_and_kept_in_memory_only(browser: Browser, url: str) -> None:
    def guard(route: Route) -> None:
        if "/v1/" in route.request.url and route.request.headers.get("authorization") != "Bearer right":
            body = json.dumps(
                {"status": 401, "code": "http_error", "detail": "A key is wanted.", "title": "", "request_id": ""}
            )
            route.fulfill(
                status=401, headers={"WWW-Authenticate": "Bearer"}, content_type="application/problem+json", body=body
            )
        else:
            route.continue_()

    with tab(browser, url, allowed=frozenset({401})) as watched:
        page = watched.page
        page.route("**/*", guard)
        watched.open("#/")
        page.locator("#key").fill("wrong")
        page.get_by_role("button", name="Use this key").click()
        page.get_by_text("The key was not taken").wait_for()
        assert violations(page) == []
        page.locator("#key").fill("right")
        page.keyboard.press("Enter")
        page.get_by_text(re.compile("deeplimit .* workers?")).wait_for()
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        watched.open("#/")
        page.locator("#key").wait_for()
        page.get_by_role("button", name="Not now").click()
        page.get_by_role("main").get_by_text("A key is wanted.").wait_for()


def test_the_page_works_below_a_prefix(browser: Browser, redis_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=redis_url, root_path="/deep/limit")
    with serving(create_app(settings)) as base, tab(browser, f"{base}/deep/limit") as watched:
        watched.open("#/new")
        watched.page.get_by_text("It holds up").wait_for()
        assert all("/deep/limit/" in asked for asked in watched.requests if not asked.startswith("about:"))


def test_records_that_are_left_out_of_a_list_are_said(
    browser: Browser, redis_url: str, store: JobStore, tmp_path: Path
) -> None:
    whole, *damaged = [submit(store, name=name) for name in ("whole", "one", "another")]
    for job in damaged:
        store.redis.hdel(keys.JOB + job.id, "updated")
    app = create_app(Settings(redis_url=redis_url, data_dir=tmp_path))
    with serving(app) as address, tab(browser, address) as watched:
        page = watched.page
        watched.open("#/")
        page.get_by_role("heading", level=2, name="whole").wait_for()
        page.get_by_text("2 studies are left out: damaged, or of a later version.").wait_for()
        store.request_cancel(whole.id)
        store.delete(whole.id)
        page.get_by_role("heading", level=2, name="whole").wait_for(state="detached")
        assert page.get_by_text("2 studies are left out").count() == 1
        assert page.get_by_text("Nothing has been submitted yet.").count() == 0
        assert violations(page) == []


VIEWS = ("list", "new", "all fields", "evaluate", "json", "study", "compare")


@pytest.mark.parametrize(("width", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_every_view_is_accessible(
    browser: Browser, url: str, studies: list[dict[str, Any]], width: str, scheme: str
) -> None:
    first, second = (job["id"] for job in studies)
    addresses = {"list": "#/", "study": f"#/jobs/{first}", "compare": f"#/compare?a={first}&b={second}"}
    with tab(
        browser, url, width=width, color_scheme=scheme, reduced_motion="reduce", allowed=frozenset({422})
    ) as watched:
        page = watched.page
        for view in VIEWS:
            watched.open(addresses.get(view, "#/new"))
            if view == "evaluate":
                page.get_by_label("Kind of job").select_option("evaluate")
            elif view in {"all fields", "json"}:
                page.get_by_role("button", name=re.compile(view, re.IGNORECASE)).click()
            if view in {"study", "compare"}:
                page.locator(".chart[data-drawn]").first.wait_for()
            else:
                page.locator("main li, main .box").first.wait_for()
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            assert (view, violations(page)) == (view, [])
            assert (view, watched.overflow()) == (view, 0)


def test_the_skip_link_comes_first_and_leads_to_the_content(browser: Browser, url: str) -> None:
    with tab(browser, url) as watched:
        page = watched.page
        watched.open("#/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2, "focus is seen"


def test_the_slider_moves_by_keyboard_and_says_what_it_shows(
    browser: Browser, url: str, service: Service, studies: list[dict[str, Any]]
) -> None:
    minima = service.client.get(studies[0]["links"]["results"]).json()["diagnostics"]["minima"]
    with tab(browser, url) as watched:
        page = watched.page
        watched.open(f"#/jobs/{studies[0]['id']}")
        slider = page.get_by_role("slider", name="Depth n")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "depth 17"
        page.get_by_label("exactly").fill("8")
        page.locator(".plots[data-filled='8']").wait_for()
        facts = page.locator("dl[data-depth='8']").inner_text()
        trained = next(row["objective"] for row in minima["depths"] if row["depth"] == 8)
        assert f"{trained:.7g}" in facts
        if minima["predicted_slope"] is not None:
            assert f"{minima['continuum'] + minima['predicted_slope'] / 8:.7g}" in facts
        else:
            assert "withheld" in facts
        page.get_by_label("exactly").fill("1")
        assert page.get_by_label("exactly").get_attribute("aria-invalid") == "true"
