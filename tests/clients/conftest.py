"""A service with a worker, which the generated clients drive, and its document as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("clients") / "data", {"DEEPLIMIT_TORCH_THREADS": "1"})
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def document(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service publishes, as a generator is given it."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(service.client.get("/openapi.json").content)
    return path
