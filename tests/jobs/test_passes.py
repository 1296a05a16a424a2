"""The threads that mend what a crash leaves go on whatever happens in them, and none waits for the other."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from service.api.main import create_app
from service.artifacts import ArtifactStore
from service.config import Settings
from service.contract import names
from service.contract.job import JobStatus
from service.jobs.dispatch import Dispatcher
from service.jobs.passes import LOCK_S, Passes
from service.jobs.reconciler import Reconciler
from service.jobs.sweeper import Sweeper
from service.jobstore import check_together, keys
from service.scratch import Scratch
from tests.support.api import serving
from tests.support.faults.disk import full_for, hanging
from tests.support.job_records import claimed, expire_lease
from tests.support.service import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.datasets.datasets import Datasets
    from service.jobstore import JobStore
    from tests.jobs.ended import Objects

LOCK = "deeplimit:of-this-test"


class Counted(Passes):
    """Passes in which something happens."""

    def __init__(self, store: JobStore, *happens: Callable[[], object]) -> None:
        super().__init__(store.redis, name="counted", lock=LOCK, interval_s=0.01)
        self.happens = list(happens)
        self.done = threading.Event()

    def work(self) -> None:
        if self.happens:
            self.happens.pop()()
        else:
            self.done.set()


@pytest.fixture
def dispatcher(redis_url: str, store: JobStore) -> Iterator[Dispatcher]:
    made = Dispatcher(redis_url, store.redis)
    yield made
    made.close()


def test_one_makes_a_pass_at_a_time(store: JobStore) -> None:
    passes = Counted(store)
    with store.redis.lock(LOCK, timeout=5):
        assert not passes.once()
    assert passes.once()
    assert passes.done.is_set()


def test_a_dead_one_stops_others_for_seconds_though_the_clock_was_set_back(store: JobStore) -> None:
    """The server's clock was a day ahead when its lock was made."""
    passes = Counted(store)
    store.redis.set(LOCK, "of a dead one", ex=86_400)
    assert not passes.once()
    left = store.redis.pttl(LOCK)
    assert 0 < left <= 1000 * LOCK_S
    pause(0.01)  # the clock of the server counts milliseconds
    assert not passes.once()
    assert store.redis.pttl(LOCK) < left, "it is not held for longer"


def test_a_pass_that_fails_as_nobody_foresaw_is_not_the_last(store: JobStore) -> None:
    passes = Counted(store, lambda: 1 / 0, lambda: int("none"))
    passes.start()
    assert passes.done.wait(20)
    passes.stop()


def test_a_pass_that_hangs_ends_with_the_process(store: JobStore) -> None:
    go = threading.Event()
    passes = Counted(store, go.wait)
    passes.start()
    passes.stop()
    hung = [thread for thread in threading.enumerate() if thread.name.startswith("counted-")]
    assert [thread.daemon for thread in hung] == [True]
    go.set()
    hung[0].join(20)


def test_the_two_have_locks_of_their_own(
    store: JobStore, dispatcher: Dispatcher, datasets: Datasets, objects: Objects, tmp_path: Path
) -> None:
    reconciler, sweeper = Reconciler(store, dispatcher), Sweeper(store, objects, datasets, Scratch(tmp_path))
    with store.redis.lock(keys.RECONCILER, timeout=5):
        assert not reconciler.once()
        assert sweeper.once()
    with store.redis.lock(keys.SWEEPER, timeout=5):
        assert not sweeper.once()
        assert reconciler.once()


def test_stores_without_an_id_get_one_in_a_pass_once_objects_can_be_written(
    store: JobStore, datasets: Datasets, tmp_path: Path
) -> None:
    objects = ArtifactStore(tmp_path / "named")
    sweeper = Sweeper(store, objects, datasets, Scratch(tmp_path))
    with full_for(os.getpid()):
        assert sweeper.once()
    assert objects.identity() is None
    assert sweeper.once()
    assert objects.identity()
    check_together(store.redis, objects, name=False)


def test_temporary_files_that_cannot_be_swept_do_not_end_it(
    store: JobStore, datasets: Datasets, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, again = Scratch(tmp_path), threading.Event()
    passes: list[int] = []

    def sweep() -> int:
        if len(passes) > 1:
            again.set()
        raise RuntimeError

    monkeypatch.setattr(scratch, "sweep", sweep)
    monkeypatch.setattr(datasets, "write_records", lambda: passes.append(1))
    sweeper = Sweeper(store, objects, datasets, scratch, interval_s=0.01)
    sweeper.start()
    try:
        assert again.wait(30.0)
    finally:
        sweeper.stop()


def test_objects_that_hang_hold_up_no_lease_and_no_shutdown(redis_url: str, store: JobStore, tmp_path: Path) -> None:
    app = create_app(Settings(redis_url=redis_url, data_dir=tmp_path, reconcile_s=0.01))
    path = names.dataset_path("0" * 64, "1")
    with hanging(tmp_path / "artifacts" / names.dataset_record_path(path)), serving(app):
        store.redis.zadd(keys.UNSETTLED, {path: 1})  # announced long ago, so that its record is looked for
        for _ in range(3):
            claim = claimed(store)
            expire_lease(store, claim.record.id)
            assert status_in_the_end(store, claim.record.id) is JobStatus.QUEUED
            store.request_cancel(claim.record.id)


def status_in_the_end(store: JobStore, job_id: str) -> object:
    """Return the status that a running job has next, or the one it has after ten seconds."""
    for _ in range(1000):
        record = store.get(job_id)
        if record is None or record.status is not JobStatus.RUNNING:
            break
        pause(0.01)  # a pass may take as long
    return record and record.status
