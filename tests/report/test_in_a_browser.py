"""Reports in Chromium: they ask nobody for anything, say no error, fit a phone, and axe finds nothing wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.report.render import render
from tests.page.browser import WIDTHS, chromium, violations
from tests.report.conftest import HOSTILE, altered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from service.report.render import Source


def test_every_report_reads_well_at_every_width(sources: Mapping[str, Source], tmp_path: Path) -> None:
    asked: list[str] = []
    said: list[str] = []
    with chromium() as browser:
        for kind, source in sources.items():
            file = tmp_path / f"{kind}.html"
            file.write_text(render(altered(source, name=HOSTILE)))
            for width, scheme in zip(WIDTHS, ("light", "dark"), strict=True):
                across, down = WIDTHS[width]
                with browser.new_context(
                    viewport={"width": across, "height": down},
                    color_scheme=scheme,  # type: ignore[arg-type]  # one of Playwright's words
                    bypass_csp=True,  # axe is a script, which the page would not run
                ) as context:
                    page = context.new_page()
                    page.on("request", lambda request: asked.append(request.url))
                    page.on("console", lambda message: said.append(message.text))
                    page.on("pageerror", lambda error: said.append(str(error)))
                    page.goto(file.as_uri())
                    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                    assert violations(page) == [], (kind, width)
                    assert page.evaluate("document.documentElement.scrollWidth") <= across, (kind, width)
                    assert page.locator("h1").count() == 1
    assert {url.rpartition("/")[2] for url in asked} == {f"{kind}.html" for kind in sources}
    assert said == []


def test_the_page_forbids_scripts_by_itself(sources: Mapping[str, Source], tmp_path: Path) -> None:
    """Even where one got in: the policy is in the page, which may be a file."""
    file = tmp_path / "report.html"
    file.write_text(render(sources["train"]).replace("</main>", "<script>document.title = 'run'</script></main>"))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(file.as_uri())
        assert page.title() != "run"
