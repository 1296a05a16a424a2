"""A service with a worker, which the generated clients drive, and its document as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service


@pytest.fixture(scope="module")
def service(trainer: Service) -> Service:
    return trainer


@pytest.fixture(scope="module")
def document(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service publishes, as a generator is given it."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(service.client.get("/openapi.json").content)
    return path
