"""A browser for each file, and for all of them a service with a worker that trains, and two studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page.browser import chromium, program
from tests.page.studies import LINE, MOONS
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start one for all files, and none where there is no browser."""
    assert program()
    running = Service(tmp_path_factory.mktemp("page") / "data")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


@pytest.fixture(scope="package")
def studies(service: Service) -> list[dict[str, Any]]:
    """Two studies that are done."""
    ids = [service.submit(spec) for spec in (MOONS, LINE)]
    return [service.wait_for(job_id, "succeeded", within=120) for job_id in ids]
