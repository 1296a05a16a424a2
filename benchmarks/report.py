"""The report of a study of six depths: how large it is, and what opening it costs a browser.

Run from the project's root:  .venv/bin/python -m benchmarks.report

Chromium must be on the path. Its CPU time is that of the tab's main thread, from navigation until all is painted, as
the DevTools protocol counts it (TaskDuration in ticks of the thread).
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from service.config import Settings
from service.runtime.supervisor import embedded_service

SPEC = {
    "kind": "train",
    "name": "two moons",
    "data": {"source": "builtin", "name": "moons", "samples": 200, "validation_fraction": 0.2},
    "network": {"state_dim": 4},
    "objective": {"alpha": dict.fromkeys(("K", "b", "W", "c"), 1e-3)},
    "discrete": {"depths": [8, 16, 32, 64, 128, 256]},
}
OPENED = 7


def page_of_a_study() -> tuple[bytes, float]:
    """Train the study on a service of its own; return its report, and the seconds that a request for it takes."""
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(data_dir=Path(place) / "data", port=0)
        with (
            embedded_service(settings, log_dir=Path(place) / "logs") as url,
            httpx.Client(base_url=url, timeout=60) as client,
        ):
            job = client.post("/v1/jobs", json=SPEC).json()
            while not job["done"]:
                job = client.get(job["links"]["self"], headers={"Prefer": "wait=30"}).json()
            if job["status"] != "succeeded":
                raise SystemExit(json.dumps(job["error"]))
            seconds = []
            for _ in range(OPENED):
                start = time.perf_counter()
                content = client.get(job["links"]["report"], headers={"Accept-Encoding": "identity"}).content
                seconds.append(time.perf_counter() - start)
            return content, statistics.median(seconds)


def seconds_to_open(content: bytes) -> list[float]:
    """Open a page in new tabs; return the CPU seconds of each."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        file = Path(place) / "report.html"
        file.write_bytes(content)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        found = []
        for _ in range(OPENED):
            page = browser.new_page()
            tools = page.context.new_cdp_session(page)
            tools.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(file.as_uri())
            page.screenshot()
            metrics = {entry["name"]: entry["value"] for entry in tools.send("Performance.getMetrics")["metrics"]}
            found.append(metrics["TaskDuration"])
            page.close()
        browser.close()
        return found


def main() -> None:
    """Print size and times."""
    content, request = page_of_a_study()
    opened = seconds_to_open(content)
    drawn = content.count(b"<figure>")
    print(f"report of six depths: {len(content) / 1000:.0f} kB, {drawn} pictures; a request {1e3 * request:.0f} ms")
    print(f"opened in {statistics.median(opened):.3f} s of CPU ({min(opened):.3f} to {max(opened):.3f})")


if __name__ == "__main__":
    main()
