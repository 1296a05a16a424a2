"""The API's process by itself, as a container or a pod starts it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.jobstore import check_together, connect
from tests.support.service import ROOT


def start(**settings: str) -> subprocess.CompletedProcess[str]:
    """Start the API, which is to end by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return subprocess.run(
            [sys.executable, "-P", "-m", "service.api.server", "--fd", str(listening.fileno())],
            env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
            pass_fds=[listening.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "DEEPLIMIT_REDIS_URL is not set"),
        (
            {"DEEPLIMIT_REDIS_URL": "redis://127.0.0.1:1", "DEEPLIMIT_ARTIFACTS_URL": "none://x"},
            "no objects can be kept",
        ),
        ({"DEEPLIMIT_REDIS_URL": "redis://127.0.0.1:1", "DEEPLIMIT_DATA_DIR": "/dev/null"}, "no objects can be kept"),
    ],
)
def test_stores_that_cannot_be_opened_are_told_in_a_line(settings: dict[str, str], said: str) -> None:
    ended = start(**settings)
    assert ended.returncode == os.EX_UNAVAILABLE
    assert f"the API cannot start: {said}" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_the_objects_of_another_service_are_told_in_a_line(redis_url: str, tmp_path: Path) -> None:
    with connect(redis_url) as client:
        check_together(client, ArtifactStore(tmp_path / "ours"), name=True)
    ended = start(DEEPLIMIT_REDIS_URL=redis_url, DEEPLIMIT_DATA_DIR=str(tmp_path / "others"))
    assert ended.returncode == os.EX_UNAVAILABLE
    assert "the API cannot start: the objects in" in ended.stderr
    assert "Traceback" not in ended.stderr
