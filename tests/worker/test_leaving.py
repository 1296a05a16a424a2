"""A worker that is told to stop keeps what its job has come to, and gives it back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from service.contract.job import JobStatus
from service.contract.train.resolve import resolve_train
from service.jobstore import JobStore, keys
from tests.support.job_records import submit
from tests.support.service import pause
from tests.support.specs import parse_train
from tests.worker.test_station import opened

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
