"""The types that openapi-typescript generates: a program that they allow drives a real service.

It needs Node.js and the packages of `tests/clients/typescript`; in continuous integration both have to be there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROGRAM = Path(__file__).parent / "typescript"
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ECONNRESET", "ENOTCACHED")


def missing(reason: str) -> None:
    """Skip where something is not there that continuous integration has."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def program(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a folder of its own, with its packages, and the document beside it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript")
    for path in PROGRAM.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    shutil.copy(document, folder / "openapi.json")
    command = ["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode and any(code in done.stderr for code in NO_NETWORK):
        missing("the registry of npm cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["npm", "run", "--silent", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_uploads_submits_waits_reads_and_handles_a_422(service: Service, program: Path) -> None:
    run(program, "generate")
    run(program, "build")
    found = json.loads(run(program, "drive", str(service.client.base_url).rstrip("/")))
    assert found == {
        "class_names": ["down", "up"],
        "planned": "dataset",
        "trained": "succeeded",
        "spec": "train",
        "models": ["discrete-4", "discrete-8", "continuum"],
        "accuracy": [1, 1, 1],
        "K": 8,
        "evaluated": "succeeded",
        "refused": [422, "invalid_spec", ["/network/state_dim"]],
    }


def test_a_wrong_program_does_not_compile(program: Path) -> None:
    """The types are those of the contract: a misspelt field and a code that does not exist are refused."""
    run(program, "generate")
    text = (program / "drive.ts").read_text()
    for right, wrong in (("gradient_tolerance", "gradient_tolerence"), ("refused.error.code;", '"no_such_code";')):
        assert right in text
        (program / "drive.ts").write_text(text.replace(right, wrong))
        command = ["npm", "run", "--silent", "build"]
        done = subprocess.run(command, cwd=program, capture_output=True, text=True, check=False, timeout=240)
        assert "error TS2" in done.stdout
    (program / "drive.ts").write_text(text)
