"""A real browser for tests of what is read in one: Debian's Chromium, which may speak to one host and say no error."""

from __future__ import annotations

import importlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS: Final = {"desktop": (1280, 900), "phone": (390, 844)}
_REFUSED: Final = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


def program() -> str:
    """Path of the browser; where it or Playwright is missing, skip with what is missing."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"Chromium is missing: none of {', '.join(NAMES)} is on the path (apt-get install chromium)")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, or skip with what is missing. One at a time and soon over: Playwright holds the event loop."""
    path = program()
    api = importlib.import_module("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A tab, with all that it asked for and complained of."""

    page: Page
    base_url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        refused = _REFUSED.match(message.text)  # the browser's note of an answer, which the page may well expect
        if refused is not None:
            self.refusals.append(int(refused[1]))
        else:
            self.complaints.append(message.text)

    def open(self, address: str) -> None:
        """Load the page anew at an address after the #."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base_url}/{address}")
        self.page.locator("h1:not(:empty)").wait_for()

    def elsewhere(self) -> list[str]:
        """Requests to anything but the service."""
        own = urlsplit(self.base_url).netloc
        return [
            url
            for url in self.requests
            if not url.startswith(("blob:", "data:", "about:")) and urlsplit(url).netloc != own
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, wider)


@contextmanager
def tab(
    browser: Browser, base_url: str, *, width: str = "desktop", allowed: frozenset[int] = frozenset(), **options: Any
) -> Iterator[Watched]:
    """Open a tab; at the end it must have asked no other host, and complained of nothing but ``allowed`` statuses."""
    across, down = WIDTHS[width]
    with browser.new_context(viewport={"width": across, "height": down}, **options) as context:
        context.set_default_timeout(30_000)
        watched = Watched(context.new_page(), base_url)
        yield watched
        assert not watched.elsewhere(), watched.elsewhere()
        assert not watched.complaints, watched.complaints
        assert set(watched.refusals) <= allowed, watched.refusals


def violations(page: Page) -> list[str]:
    """What axe finds wrong with what is shown, as lines to read.

    Frames are left out: the one frame of the page holds the report, which may run no script and is checked in a tab of
    its own. axe would send it messages, and the browser complains of those that arrive while its origin is none.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    found = axe.Axe().run(page, options={"iframes": False}).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def error_of(page: Page, label: str) -> Any:
    """What a screen reader is told beside a field that is wrong."""
    field = page.get_by_label(label)
    if field.get_attribute("aria-invalid") != "true":
        return None
    described = (field.get_attribute("aria-describedby") or "").split()
    return " ".join(page.locator(f"#{one}").inner_text() for one in described)


def drop(page: Page, name: str, content: str) -> None:
    """Let go of a file over the page's place for it."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const held = new DataTransfer(); held.items.add(new File([text], name)); return held; }",
        [name, content],
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
