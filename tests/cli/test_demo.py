"""The demonstration as a newcomer runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import ROOT

pytestmark = pytest.mark.e2e

MINIMA = {8: 0.072272930, 16: 0.071224803, 32: 0.070669299, 64: 0.070383174}
CONTINUUM = 0.070091243


def test_the_demo_prints_the_known_answers_and_leaves_nothing(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "deeplimit"), "demo"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    for depth, objective in MINIMA.items():
        (row,) = (line.split() for line in done.stdout.splitlines() if line.split()[:1] == [str(depth)])
        assert re.fullmatch(r"0\.\d{7,}", row[1])
        assert float(row[1]) == pytest.approx(objective, rel=1e-7)
    (limit,) = re.findall(r"E_∞ = (\S+)  trained as a continuum", done.stdout)
    assert float(limit) == pytest.approx(CONTINUUM, rel=1e-7)
    (difference,) = re.findall(r"predicted and observed slope differ by (\S+)%", done.stdout)
    assert float(difference) < 2
    assert "Verdict: converges" in done.stdout
    first = done.stdout.splitlines()[:10]
    assert first[0].startswith("Yes. As depth grows")
    assert first[1].startswith("  * Use depth 32: ")
    assert "  * Accuracy on training data (none were held out) is the same, 0.9877, from depth 8 on." in first
    assert not list(tmp_path.glob("deeplimit-demo-*"))
    assert not processes_with(str(tmp_path))


def processes_with(text: str) -> list[str]:
    """Command lines of the processes whose environment holds the text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended, or is somebody else's
            continue
    return found
