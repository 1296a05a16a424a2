"""From a raw table to what was found, by the commands alone and a service that trains."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.service import ROOT, Service

pytestmark = pytest.mark.e2e

DEEPLIMIT = str(Path(sys.executable).parent / "deeplimit")
SPECIES = {"Adelie": (39.0, 18.0, 3700), "Chinstrap": (49.0, 18.5, 3730), "Gentoo": (47.5, 15.0, 5080)}
"""Lengths and depths of bills in mm and masses in g, near those of the Palmer penguins."""


def penguins(count: int) -> str:
    """A table as people have it: text among the inputs, and values that are missing."""
    rng = np.random.default_rng(3)
    lines = ["island,bill_length_mm,bill_depth_mm,body_mass_g,sex,species"]
    for row in range(count):
        species = list(SPECIES)[row % 3]
        length, depth, mass = rng.normal(SPECIES[species], (2.0, 0.8, 250))
        sex = rng.choice(["male", "female", "NA"])
        measured = "NA,NA,NA" if row == 5 else f"{length:.1f},{depth:.1f},{mass:.0f}"
        lines.append(f"Biscoe,{measured},{sex},{species}")
    return "\n".join(lines) + "\n"


def deeplimit(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEEPLIMIT_URL": f"http://127.0.0.1:{service.port}", "PYTHONPATH": str(ROOT)}
    command = [DEEPLIMIT, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)


def test_a_raw_table_is_trained_on_and_the_models_evaluated(trainer: Service, tmp_path: Path) -> None:
    table = tmp_path / "penguins.csv"
    table.write_text(penguins(60))
    inputs = [word for name in ("bill_length_mm", "bill_depth_mm", "body_mass_g") for word in ("--input", name)]
    reading = [str(table), "--target", "species", *inputs, "--missing", "drop"]
    done = deeplimit(trainer, "train", *reading, "--depths", "4,8", "--wait")
    assert done.returncode == 0, done.stderr
    assert "59 samples of 3 numbers, 1 rows with a missing value left out" in done.stderr
    for model in ("discrete-4", "discrete-8", "continuum"):
        quality, ending = (line.split() for line in done.stdout.splitlines() if line.split()[:1] == [model])
        assert 0 <= float(quality[1]) <= 1
        assert float(ending[2]) > 0
    assert "Verdict: " in done.stdout
    job_id = deeplimit(trainer, "list", "--kind", "train", "--status", "succeeded", "--limit", "1").stdout.split()[0]
    again = deeplimit(trainer, "results", job_id, "--digits", "full")
    assert len(again.stdout) > len(done.stdout), "every digit is there"
    evaluated = deeplimit(trainer, "evaluate", job_id, *reading, "--depth", "16", "--wait")
    assert evaluated.returncode == 0, evaluated.stderr
    assert f"job {job_id} on 59 samples" in evaluated.stdout
    assert "sampled-16" in evaluated.stdout
