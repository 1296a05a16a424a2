"""From a raw table to what was found, by the commands alone and a service that trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets import penguins
from tests.support.service import ROOT, Service

pytestmark = pytest.mark.e2e

DEEPLIMIT = str(Path(sys.executable).parent / "deeplimit")


def deeplimit(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEEPLIMIT_URL": f"http://127.0.0.1:{service.port}", "PYTHONPATH": str(ROOT)}
    command = [DEEPLIMIT, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)


def test_a_raw_table_is_trained_on_and_the_models_evaluated(trainer: Service, tmp_path: Path) -> None:
    table = tmp_path / "penguins.csv"
    table.write_bytes(penguins.raw())
    reading = [str(table), "--target", "species", "--missing", "drop", "--categorical", "drop"]
    done = deeplimit(trainer, "train", *reading, "--depths", "8,16", "--wait")
    assert done.returncode == 0, done.stderr
    assert "38 samples of 5 numbers, 2 rows with a missing value left out, columns left out: island, sex" in done.stderr
    first = done.stdout.splitlines()[:10]
    assert first[0].startswith(("Yes. ", "No. ", "Cannot tell: "))
    assert any("depth" in line for line in first[1:])
    assert "classes Adelie, Chinstrap, Gentoo" in done.stdout
    for model in ("discrete-8", "discrete-16", "continuum"):
        row = next(line for line in done.stdout.splitlines() if line.split()[:1] == [model])
        assert 0 <= float(row.split()[1]) <= 1
    assert "Verdict: " in done.stdout
    job_id = deeplimit(trainer, "list", "--kind", "train", "--status", "succeeded", "--limit", "1").stdout.split()[0]
    again = deeplimit(trainer, "results", job_id, "--digits", "full")
    assert len(again.stdout) > len(done.stdout), "every digit is there"
    evaluated = deeplimit(trainer, "evaluate", job_id, *reading, "--depth", "32", "--wait")
    assert evaluated.returncode == 0, evaluated.stderr
    assert f"job {job_id} on 38 samples" in evaluated.stdout
    assert "sampled-32" in evaluated.stdout
