"""One service that trains, for every page, and the files that pages take for granted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.docs.running import Running
from tests.docs.taken_for_granted import write_files
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("docs") / "data")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def running(service: Service, tmp_path: Path) -> Iterator[Running]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed, and the pages' blocks use it")
    write_files(tmp_path)
    page = Running(service, tmp_path)
    yield page
    page.close()
