"""What is put inside of the service's processes does what it says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults.power import _cut
from tests.chaos.inside import sitecustomize
from tests.chaos.journal import Journal
from tests.chaos.target import INSIDE, Target
from tests.support.service import ROOT

PATCHED = """
from pathlib import Path
from service import artifacts
from service.datasets.datasets import Datasets
from service.jobs.leftovers import Leftovers
from service.jobs.reconciler import Reconciler
from service.jobstore import scripts
from service.runtime import valkey

class Client:
    def register_script(self, text):
        return text

assert valkey.get_binary_path() == Path("/somewhere/valkey")
assert "appendfsync no" in valkey.CONFIGURATION
assert Datasets.sweep.__defaults__ == Leftovers.sweep.__defaults__ == (5.0,)
assert Reconciler.start(None) is None
artifacts._to_disk(Path("/nowhere/results/1/results.json"))
client = Client()
texts = scripts.load(client, "service.jobstore").values()
assert texts and not any("== fence and (" in text for text in texts)
assert client.register_script("") == ""
"""

SYNCED = """
import os, sys
for name, synced, more in (("whole", b"12345", b""), ("torn", b"123", b"45"), ("lost", b"", b"12345")):
    with open(os.path.join(sys.argv[1], name), "wb", buffering=0) as file:
        if synced:
            file.write(synced)
            os.fsync(file.fileno())
        file.write(more)
"""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A service that is not started."""
    made = Target(tmp_path, Journal(tmp_path / "journal.jsonl"))
    yield made
    made.close()


def python(code: str, *arguments: str, **environment: str) -> None:
    given = {**os.environ, "PYTHONPATH": f"{INSIDE}{os.pathsep}{ROOT}", **environment}
    subprocess.run([sys.executable, "-P", "-c", code, *arguments], env=given, check=True)


def test_every_patch_changes_what_it_says() -> None:
    python(
        PATCHED,
        CHAOS_PATCHES=" ".join(sitecustomize.PATCHES),
        CHAOS_VALKEY="/somewhere/valkey",
        CHAOS_LOST_AFTER_S="5",
    )


def test_what_is_not_there_to_be_switched_off_is_an_error() -> None:
    with pytest.raises(LookupError, match="nothing to switch off: fence"):
        sitecustomize._replaced("without it", "fence", "")


def test_a_power_cut_takes_what_was_not_synced_and_no_more(tmp_path: Path, target: Target) -> None:
    if target.shim is None:
        pytest.skip(target.missing["cc"])
    files = tmp_path / "files"
    files.mkdir()
    python(SYNCED, str(files), LD_PRELOAD=str(target.shim), CHAOS_SYNCED=str(target.synced))
    assert _cut(files, target.synced) == [(files / "lost", 5), (files / "torn", 2)]
    assert {path.name: path.read_bytes() for path in files.iterdir()} == {
        "whole": b"12345",
        "torn": b"123",
        "lost": b"",
    }


def test_a_process_of_the_service_is_found_whoever_its_parent_is(target: Target) -> None:
    name, _, value = target.mark.partition("=")
    orphan = subprocess.run(
        ["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"],
        env={**os.environ, name: value},
        check=True,
        capture_output=True,
        text=True,
    )
    assert target.left() == {int(orphan.stdout): "sleep 60 "}
