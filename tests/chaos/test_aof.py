"""What the append-only file of a real server says of jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.contract.job import ArtifactRef, JobStatus, Loss
from service.jobstore import JobStore, connect
from tests.chaos import aof
from tests.support.job_records import claimed
from tests.support.service import pause, running_valkey

REF = ArtifactRef(path="jobs/a/results/2/results.json", sha256="0" * 64, bytes=1, media_type="text/plain")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[JobStore]:
    with running_valkey(tmp_path / "valkey") as valkey, connect(valkey.url) as client:
        yield JobStore(client)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "valkey" / "appendonlydir"


def test_the_life_of_a_job(own: JobStore, history: Path) -> None:
    first = claimed(own)
    job_id = first.record.id
    own.requeue(job_id, first.fence, Loss.CRASH, "…")
    second = own.claim("worker")
    assert second is not None
    own.finish(job_id, second.fence, JobStatus.SUCCEEDED, artifacts={"results": REF})
    (found,) = aof.lives(aof.read(history)).items()
    assert found[0] == job_id
    life = found[1]
    assert life.statuses == ["queued", "running", "queued", "running", "succeeded"]
    assert life.claims == [first.fence, second.fence]
    (given, (fence, committed)) = life.committed
    assert given == (0, "{}")
    assert (fence, REF.path in committed) == (second.fence, True)


def test_a_claim_under_an_old_fence_is_seen() -> None:
    commands = [
        [b"HSET", b"deeplimit:job:a", b"status", b"queued", b"fence", b"0"],
        [b"HINCRBY", b"deeplimit:job:a", b"fence", b"1"],
        [b"HSET", b"deeplimit:job:a", b"status", b"running"],
        [b"HSET", b"deeplimit:job:a", b"status", b"queued"],
        [b"HSET", b"deeplimit:job:a", b"status", b"running"],
    ]
    assert aof.lives(iter(commands))["a"].claims == [1, 0]


def test_a_last_command_that_is_cut_off_was_not_written() -> None:
    whole = b"#TS:1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    last = b"*1\r\n$4\r\nPING\r\n"
    for length in range(len(last)):
        assert list(aof.parse(whole + last[:length])) == [[b"GET", b"a"]]
    assert list(aof.parse(whole + last)) == [[b"GET", b"a"], [b"PING"]]


def test_a_file_that_was_rewritten_does_not_tell_all(own: JobStore, history: Path) -> None:
    claimed(own)
    own.redis.bgrewriteaof()
    for _ in range(500):
        if ".2.base." in (history / aof.MANIFEST).read_text():
            break
        pause(0.02)  # the server rewrites it beside other things
    with pytest.raises(aof.HistoryError, match="rewritten"):
        list(aof.read(history))
