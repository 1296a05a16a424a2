"""The service where a user keeps files whose names it imports: nothing of the working directory is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import SLOW, Service, slow_job

pytestmark = pytest.mark.e2e

NAMES = ("worker", "service", "numpy", "celery", "redis", "json", "billiard", "safetensors", "httpx", "typing")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with files that leave a mark when they are imported, and fail."""
    folder = tmp_path / "desk"
    folder.mkdir()
    for name in NAMES:
        mark = folder / f"{name}-was-imported"
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\nraise ImportError({name!r})\n")
    return folder


def marks(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*-was-imported"))


def test_a_service_imports_nothing_from_where_it_is_started(desk: Path) -> None:
    service = Service(desk / "data", {"DEEPLIMIT_EXECUTOR": SLOW}, directory=desk)
    try:
        service.start()
        service.wait_for(service.submit(slow_job()), "succeeded")
        flowers = service.client.post("/v1/datasets", content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
        assert flowers.status_code == 201
        assert marks(desk) == []
    finally:
        service.stop()


def test_the_package_is_imported_beside_files_of_these_names(desk: Path) -> None:
    for name in NAMES:
        if name not in {"worker", "service"}:
            (desk / f"{name}.py").unlink()  # Python itself takes a script's own folder first
    code = "import deeplimit; deeplimit.Client; deeplimit.AsyncClient"
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, env=os.environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert marks(desk) == []
