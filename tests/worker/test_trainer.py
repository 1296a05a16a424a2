"""The trainer as its supervisor hears it: real processes, and memory that really runs out."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from benchmarks.memory import LOOSE, specification
from service.contract.train.resolve import resolve_train
from tests.support.faults.disk import full_for
from tests.support.service import ROOT, pause
from worker import trainer_process as module
from worker.trainer_process import Died, Event, Said, TrainerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and bounds the address space")

MANY: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 20000},
    "network": {"state_dim": 16},
    "discrete": {"depths": [32]},
    "continuum": None,
    "plots": False,
    "training": LOOSE | {"max_iterations": 2, "kernel": "torch"},
}

SPEAKING = """
import os, signal, sys
from worker.executor import Outcome
def execute(job, report, should_stop):
    print("written for", job.job_id, file=sys.stderr, flush=True)
    if job.job_id == "second":
        os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome({})
"""


WRITING = """
from worker.executor import Outcome
def execute(job, report, should_stop):
    return Outcome({key: job.write(key, bytes(size), "text/plain") for key, size in job.spec.items()})
"""


@pytest.fixture(scope="module")
def spec() -> Any:
    return json.loads(resolve_train(specification(MANY)).spec.model_dump_json())


def answer_to(spec: Any, *, beside: int) -> Mapping[str, Any]:
    """Have a trainer do one job with `beside` bytes beside those that it uses already, and return how that ended."""
    events: SimpleQueue[Event] = SimpleQueue()
    with TrainerProcess("tests.support.faults.tight_executor:execute", events.put) as trainer:
        trainer.say({"type": "run", "job_id": f"tight-{beside}", "fence": 1, "spec": spec, "given": {}})
        while True:
            event = events.get(timeout=120)
            assert isinstance(event, Said), event
            if event.message["type"] not in {"ready", "progress", "tick"}:
                break
        trainer.dismiss()
        assert isinstance(events.get(timeout=30), Died)
    return event.message


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DEEPLIMIT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DEEPLIMIT_TORCH_THREADS", "1")


def test_a_job_that_memory_runs_out_for_is_done_in_smaller_parts(spec: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert answer_to(spec, beside=200 * 2**20)["type"] == "done"
    log = capfd.readouterr().err
    assert "DefaultCPUAllocator: can't allocate memory" in log
    assert log.count("in smaller parts") == 1


def test_one_that_memory_runs_out_for_again_says_so(spec: Any, capfd: pytest.CaptureFixture[str]) -> None:
    answer = answer_to(spec, beside=0)
    assert (answer["type"], answer["code"], answer["origin"]) == ("failed", "out_of_memory", "system")
    assert capfd.readouterr().err.count("DefaultCPUAllocator: can't allocate memory") >= 2


def test_a_crash_quotes_nothing_that_another_job_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "speaking.py").write_text(SPEAKING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    events: SimpleQueue[Event] = SimpleQueue()
    with TrainerProcess("speaking:execute", events.put) as trainer:
        for job_id in ("first", "second"):
            trainer.say({"type": "run", "job_id": job_id, "fence": 1, "spec": {}, "given": {}})
            log = ""
            while f"written for {job_id}" not in log and trainer.alive:  # it may come after the answer
                log += capfd.readouterr().err
                pause(0.01)
        event = events.get(timeout=30)
        while not isinstance(event, Died):
            event = events.get(timeout=30)
        trainer.dismiss()
    assert "written for second" in event.last_words
    assert "Segmentation fault" in event.last_words
    assert "written for first" not in event.last_words


def test_results_that_do_not_fit_leave_nothing_and_their_size_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "writing.py").write_text(WRITING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    events: SimpleQueue[Event] = SimpleQueue()
    with TrainerProcess("writing:execute", events.put) as trainer:
        ready = events.get(timeout=60)
        assert isinstance(ready, Said)
        with full_for(trainer.pid, room=5000):
            spec = {"first": 1000, "second": 4000, "third": 9000}
            trainer.say({"type": "run", "job_id": "a", "fence": 1, "spec": spec, "given": {}})
            answer = events.get(timeout=60)
        trainer.dismiss()
    assert isinstance(answer, Said)
    assert answer.message == {"type": "unstored", "bytes": 14000}
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []


def test_one_that_takes_no_orders_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAKEN_S", 0.1)
    events: SimpleQueue[Event] = SimpleQueue()
    with TrainerProcess("tests.support.slow_executor:execute", events.put) as trainer:
        ready = events.get(timeout=60)
        assert isinstance(ready, Said), ready
        os.kill(trainer.pid, signal.SIGSTOP)
        trainer.say({"type": "run", "job_id": "long", "fence": 1, "spec": "x" * 2**20, "given": {}})  # no pipe holds it
        died = events.get(timeout=30)
        assert isinstance(died, Died), died
        assert died.returncode == -signal.SIGKILL
        trainer.dismiss()
