"""A worker whose trainer cannot start: it tries again, gives up in the end, and takes no job meanwhile."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.config import Settings
from service.contract.job import JobError, JobStatus
from service.contract.names import checkpoint_path
from service.contract.train.resolved import spec_sha256
from service.contract.values.media_types import BYTES
from service.jobs.leftovers import Leftovers
from service.jobstore import JobStore, check_together, connect, keys
from tests.support.faults.disk import hanging
from tests.support.job_records import expire_lease, submit
from tests.support.service import ROOT, SLOW, pause, slow_job
from tests.support.slow_executor import Behaviour
from tests.worker.foreign import OTHERS
from worker import station as module
from worker.station import Station

ERROR = JobError(code="internal_error", detail="…", retryable=False, origin="system")
NOWHERE = "tests.support.no_such_module:execute"
MENDED = """
import pathlib
starts = pathlib.Path({starts!r})
starts.open("a").write(".")
if len(starts.read_text()) < {good}:
    raise ImportError("not yet")
from tests.support.slow_executor import execute
"""


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers are processes of their own, which find the executors of tests nowhere else."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_PAUSES_S", (0.01, 0.02))


@contextmanager
def opened(
    redis_url: str, folder: Path, executor: str, told: list[str], start_s: float = 120.0, renew_s: float = 5.0
) -> Iterator[Station]:
    with connect(redis_url) as client:
        check_together(client, ArtifactStore(folder / "artifacts"), name=True)  # as the API does
    settings = Settings(data_dir=folder, executor=executor, start_s=start_s, renew_s=renew_s)
    station = Station(settings, redis_url, lambda: told.append("gave up"))
    station.open()
    try:
        yield station
    finally:
        station.ask_to_stop()
        if station._trainer is not None:
            station._trainer.dismiss()
            station._trainer._process.wait(10)
        station._feed.stop()
        for thread in threading.enumerate():
            if thread.name == "beat":
                thread.join(10)
        station._store.redis.close()


@pytest.mark.usefixtures("quick")
def test_it_gives_up_and_leaves_the_job_to_others(
    redis_url: str, store: JobStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = submit(store)
    told: list[str] = []
    with opened(redis_url, tmp_path, NOWHERE, told) as broken, caplog.at_level(logging.ERROR):
        broken.take()
        assert broken.stopping
        broken.take()  # a hint that comes all the same
    assert told == ["gave up"]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3 + ["CRITICAL"]
    assert "no_such_module" in caplog.records[-1].getMessage()
    left = store.get(job.id)
    assert left is not None
    assert (left.status, left.attempt) == (JobStatus.QUEUED, 1)
    assert store.queued() == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("good", "gives_up"), [(3, False), (4, True)])
def test_a_trainer_that_starts_in_the_end_does_the_job(
    redis_url: str,
    store: JobStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    good: int,
    *,
    gives_up: bool,
) -> None:
    (tmp_path / "mended.py").write_text(MENDED.format(starts=str(tmp_path / "starts"), good=good))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    job = submit(store, spec=slow_job())
    told: list[str] = []
    with opened(redis_url, tmp_path, "mended:execute", told) as mended:
        mended.take()
    ended = store.get(job.id)
    assert ended is not None
    assert ended.status is (JobStatus.QUEUED if gives_up else JobStatus.SUCCEEDED)
    assert told == (["gave up"] if gives_up else [])
    assert (tmp_path / "starts").read_text() == "..."


def test_a_trainer_that_hangs_while_it_starts_is_replaced(
    redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hangs = MENDED.replace('raise ImportError("not yet")', "__import__('signal').pause()")
    (tmp_path / "hanging.py").write_text(hangs.format(starts=str(tmp_path / "starts"), good=2))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setattr(module, "START_PAUSES_S", (0.01, 0.02))
    job = submit(store, spec=slow_job())
    told: list[str] = []
    with (
        opened(redis_url, tmp_path, "hanging:execute", told, start_s=12.0) as mended,
        caplog.at_level(logging.ERROR),
    ):
        mended.take()
    ended = store.get(job.id)
    assert ended is not None
    assert (ended.status, ended.crashes) == (JobStatus.SUCCEEDED, 0)
    assert caplog.records[0].getMessage().endswith("hangs: it did not start in 12 s")
    assert (tmp_path / "starts").read_text() == ".."


def test_one_that_is_told_to_stop_does_not_wait_for_the_next_attempt(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_PAUSES_S", (1000.0,))
    told: list[str] = []
    with opened(redis_url, tmp_path, NOWHERE, told) as broken:
        resting = broken._rest

        def stop_then_rest(seconds: float) -> None:
            broken.ask_to_stop()
            resting(seconds)

        monkeypatch.setattr(broken, "_rest", stop_then_rest)
        broken.take()
    assert told == []


def test_what_a_superseded_attempt_wrote_goes(redis_url: str, store: JobStore, tmp_path: Path) -> None:
    """Whoever sweeps after a job may have done so before a late attempt writes."""
    job = submit(store, spec=slow_job(seconds=1.5))
    taken: list[int] = []

    def supersede() -> None:
        while (record := store.get(job.id)) is not None and record.progress is None:
            threading.Event().wait(0.01)  # until the attempt is under way
        expire_lease(store, job.id)
        store.reconcile()
        claim = store.claim("another")
        assert claim is not None
        store.finish(job.id, claim.fence, JobStatus.FAILED, error=ERROR)
        taken.append(Leftovers(store.redis, ArtifactStore(tmp_path / "artifacts")).sweep())

    with opened(redis_url, tmp_path, SLOW, []) as station:
        another = threading.Thread(target=supersede)
        another.start()
        station.take()
        another.join()
    assert taken == [0]
    assert store.redis.zrange(keys.UNSETTLED_JOBS, 0, -1) == [job.id]
    Leftovers(store.redis, ArtifactStore(tmp_path / "artifacts")).sweep()
    assert [path for path in (tmp_path / "artifacts" / "jobs").rglob("*") if path.is_file()] == []


def test_one_that_cannot_read_the_id_of_its_objects_looks_ever_more_seldom(
    redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_PROBE_PAUSE_S", 0.05)
    identity = tmp_path / "artifacts" / "store-id"
    job = submit(store, spec=slow_job())
    pauses: list[float] = []
    with opened(redis_url, tmp_path, SLOW, []) as blind:
        kept = identity.read_bytes()
        identity.unlink()
        identity.symlink_to("store-id")  # nobody can follow it; everything else can be read and written
        blind._artifacts.probe()
        resting = blind._rest

        def rest(seconds: float) -> None:
            pauses.append(seconds)
            assert blind._unready
            resting(seconds)
            if len(pauses) == 5:
                identity.unlink()
                identity.write_bytes(kept)

        monkeypatch.setattr(blind, "_rest", rest)
        blind.take()
        assert not blind._unready
    ended = store.get(job.id)
    assert ended is not None
    assert ended.status is JobStatus.SUCCEEDED
    assert pauses == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_one_that_comes_before_the_api_waits_for_it(
    redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_PAUSE_S", 0.01)
    job = submit(store, spec=slow_job())
    pauses: list[float] = []
    with opened(redis_url, tmp_path, SLOW, []) as early:
        store.redis.delete("deeplimit:store")
        resting = early._rest

        def rest(seconds: float) -> None:
            pauses.append(seconds)
            assert early._unready
            resting(seconds)
            if len(pauses) == 3:
                check_together(store.redis, early._artifacts, name=True)

        monkeypatch.setattr(early, "_rest", rest)
        early.take()
    ended = store.get(job.id)
    assert ended is not None
    assert ended.status is JobStatus.SUCCEEDED
    assert pauses == [0.01, 0.02, 0.04]


def test_objects_that_hang_cost_no_lease(
    redis_url: str, store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer waits for them, in a process of its own; whoever renews the lease does not."""
    monkeypatch.setenv("DEEPLIMIT_DATA_DIR", str(tmp_path))
    store.lease_s = 30.0
    job = submit(store, spec=slow_job(behaviour=Behaviour.KEEPING))
    claim = store.claim("one that died")
    assert claim is not None
    kept = ArtifactStore(tmp_path / "artifacts").put(checkpoint_path(job.id, claim.fence, "1"), b"{}", BYTES)
    store.keep_checkpoints(job.id, claim.fence, [kept])
    expire_lease(store, job.id)
    store.reconcile()
    file = tmp_path / "artifacts" / kept.path
    file.unlink()
    requeued: list[int] = []

    def watch(let_go: Callable[[], None]) -> None:
        """Have the lease be about to run out, and see it renewed, three times."""
        for _ in range(3):
            while not store.redis.zadd(keys.LEASES, {job.id: 1e17}, xx=True, ch=True):
                pause(0.01)  # until it is claimed
            while store.redis.zscore(keys.LEASES, job.id) == 1e17:
                pause(0.01)  # until it is renewed
            requeued.append(store.reconcile().requeued)
        let_go()

    with contextlib.ExitStack() as hang, opened(redis_url, tmp_path, SLOW, [], renew_s=0.1) as station:
        hang.enter_context(hanging(file))
        watching = threading.Thread(target=watch, args=[hang.close])
        watching.start()
        station.take()
        watching.join()
    ended = store.get(job.id)
    assert ended is not None
    assert (ended.status, ended.outages, requeued) == (JobStatus.SUCCEEDED, 1, [0, 0, 0])


def test_a_job_over_which_the_worker_itself_fails_ends(redis_url: str, store: JobStore, tmp_path: Path) -> None:
    job = submit(store, spec=slow_job(wall_time_s=10**400))
    with opened(redis_url, tmp_path, SLOW, []) as station:
        for _ in range(3):
            with pytest.raises(OverflowError):
                station.take()
        station.take()  # nothing waits any more
    ended = store.get(job.id)
    assert ended is not None
    assert (ended.status, ended.crashes) == (JobStatus.FAILED, 3)
    assert ended.error is not None
    assert (ended.error.code, "OverflowError" in ended.error.detail) == ("worker_lost", True)


@pytest.mark.parametrize("how", OTHERS)
def test_a_job_that_it_cannot_read_is_left_to_others(
    redis_url: str, store: JobStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Whoever can read it finds it as it was; meanwhile it is in nobody's way, for longer each time."""
    job = submit(store, spec=OTHERS[how], spec_sha256=spec_sha256(OTHERS[how]))
    with opened(redis_url, tmp_path, SLOW, []) as older, caplog.at_level(logging.WARNING):
        for deferrals in (1, 2):
            older.take()
            left = store.get(job.id)
            assert left is not None
            assert (left.status, left.attempt, left.crashes, left.outages) == (JobStatus.QUEUED, 1, 0, 0)
            assert store.redis.hget(keys.JOB + job.id, "deferrals") == str(deferrals)
            assert store.redis.zrem(keys.DEFERRED, job.id) == 1
            store.redis.zadd(keys.QUEUED, {job.id: 0})  # its time has come
        assert store.queued() == 1
    said = [record.getMessage() for record in caplog.records if job.id in record.getMessage()]
    assert len(said) == 2
    assert all("left to workers of another version" in line for line in said)
