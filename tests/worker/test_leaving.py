"""A job that is stopped keeps what it has come to, and the next attempt goes on from there, or finishes it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from service.contract.job import JobStatus
from service.contract.names import RESULTS
from service.contract.train.resolve import resolve_train
from service.jobstore import JobStore, keys
from tests.support.faults.hanging_executor import HANGS_IN
from tests.support.job_records import submit
from tests.support.service import ROOT, pause
from tests.support.specs import parse_train
from tests.worker.test_station import opened
from worker.supervision import Attempt, Reason

if TYPE_CHECKING:
    from pathlib import Path

LONG = {
    "kind": "train",
    "data": {"source": "builtin", "name": "digits"},
    "discrete": {"depths": [32]},
    "continuum": None,
    "plots": False,
}


def test_a_job_is_kept_before_it_is_given_back(
    redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLIMIT_DATA_DIR", str(tmp_path))  # the trainer's
    monkeypatch.setenv("DEEPLIMIT_CHECKPOINT_S", "1000")
    spec = resolve_train(parse_train(LONG)).spec.model_dump(mode="json")
    job = submit(store, spec=spec)
    with opened(redis_url, tmp_path, "worker.execution:execute", []) as station:

        def stop_once_it_trains() -> None:
            while store.redis.hget(keys.JOB + job.id, "fraction") is None:
                pause(0.05)
            station.ask_to_stop()

        threading.Thread(target=stop_once_it_trains, daemon=True).start()
        station.take()
    back = store.get(job.id)
    assert back is not None
    assert (back.status, back.attempt, back.crashes, back.outages) == (JobStatus.QUEUED, 1, 0, 0)
    again = store.claim("another worker")
    assert again is not None
    assert len(again.checkpoints) == 1
    assert (tmp_path / "artifacts" / again.checkpoints[0].path).stat().st_size == again.checkpoints[0].bytes


@pytest.mark.parametrize("worker_stops", [False, True], ids=["by the limit", "and its worker with it"])
def test_a_job_that_is_stopped_far_over_its_time_keeps_the_models_that_are_finished(
    worker_stops: bool, redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLIMIT_DATA_DIR", str(tmp_path))  # the trainer's
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for its executor
    monkeypatch.setenv("DEEPLIMIT_CHECKPOINT_S", "1000")
    attempts: list[Attempt] = []

    class Kept(Attempt):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            attempts.append(self)

        def _stop(self, reason: Reason) -> None:
            super()._stop(reason)
            if worker_stops and reason is Reason.WALL_TIME:
                station.ask_to_stop()

    monkeypatch.setattr("worker.station.Attempt", Kept)
    body = {**LONG, "data": {"source": "builtin", "name": "moons", "samples": 40}, "discrete": {"depths": [8, 16]}}
    job = submit(store, spec=resolve_train(parse_train(body)).spec.model_dump(mode="json"))
    with opened(redis_url, tmp_path, "tests.support.faults.hanging_executor:execute", []) as station:

        def be_late_once_it_hangs() -> None:
            while (found := store.get(job.id)) is None or not (at := found.progress) or at.model != HANGS_IN:
                pause(0.05)  # until it hangs
            attempts[0]._wall_at = 0.0

        threading.Thread(target=be_late_once_it_hangs, daemon=True).start()
        station.take()
    if worker_stops:  # what is left is for another one
        with opened(redis_url, tmp_path, "tests.support.faults.hanging_executor:execute", []) as station:
            station.take()
    ended = store.get(job.id)
    assert ended is not None
    assert (ended.status, ended.attempt, ended.overruns, ended.crashes) == (JobStatus.SUCCEEDED, 2, 1, 0)
    results = json.loads((tmp_path / "artifacts" / ended.artifacts[RESULTS].path).read_text())
    assert [model["status"] for model in results["models"]] == ["converged", "time_limit"]
