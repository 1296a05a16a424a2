"""A job that was killed goes on from its newest checkpoint that can be read, and ends with the very same parameters."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from service.artifacts import ArtifactStore, StorageError
from service.contract.job import ArtifactRef
from service.contract.names import RESULTS, checkpoints_prefix
from tests.worker.execution.test_execute import JOB, job_of
from worker.execution.flat_values import restored
from worker.execution.journal import KEPT, JobJournal
from worker.execution.train import execute
from worker.executor import JobInput, Keeping, Outcome, Stopped, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from deeplimit.mathematics.journal import Step

SPEC: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 40},
    "discrete": {"depths": [4, 8]},
    "training": {"starts": 2, "gradient_tolerance": 1e-6},
    "plots": False,
}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long checkpoints take beside a job of a second, they are written."""
    monkeypatch.setattr("worker.execution.journal.SHARE", 1e9)


class Killed(BaseException):
    """Ends an attempt at once, as SIGKILL would."""


class Attempts:
    """Attempts at one job, each with the checkpoints that the one before has had named."""

    def __init__(self, place: Path, **options: Any) -> None:
        self.job = job_of(place, **SPEC)
        self.options = {"every_s": 0.0, **options}
        self.fences = count(1)
        self.named: list[list[ArtifactRef]] = []
        self.evaluations = 0

    def attempt(self, *, kill: int | None = None, leave: int | None = None, finish_only: bool = False) -> Outcome:
        """Make one, which is killed, or told to leave, at an evaluation, by number."""
        self.evaluations = 0

        def should_stop() -> bool:
            self.evaluations += 1
            if self.evaluations == kill:
                raise Killed
            return leave is not None and self.evaluations >= leave

        keeping = Keeping(commit=self.commit, leaving=lambda: leave is not None, **self.options)
        job = replace(
            self.job,
            fence=next(self.fences),
            checkpoints=self.checkpoints,
            keeping=keeping,
            finish_only=finish_only,
        )
        return execute(job, lambda _: None, should_stop)

    @property
    def checkpoints(self) -> Sequence[ArtifactRef]:
        return self.named[-1] if self.named else []

    def commit(self, refs: Sequence[ArtifactRef]) -> None:
        self.named.append([*refs])

    def entries(self) -> list[Any]:
        contents = [self.job.artifacts.get(segment) for segment in self.segments()]
        return [entry for content in contents for entry in restored(content)]

    def segments(self) -> list[ArtifactRef]:
        head, _, _ = self.job.artifacts.get(self.checkpoints[0]).partition(b"\n")
        return [ArtifactRef.model_validate(segment) for segment in json.loads(head)["segments"]]


def hashes(outcome: Outcome) -> dict[str, str]:
    return {key: ref.sha256 for key, ref in outcome.artifacts.items() if key.startswith("parameters/")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    attempts = Attempts(tmp_path_factory.mktemp("whole"))
    outcome = attempts.attempt()
    assert attempts.named
    return hashes(outcome), attempts.evaluations


def killed_at(share: float, place: Path, undisturbed: tuple[dict[str, str], int], **options: Any) -> Attempts:
    attempts = Attempts(place, **options)
    with pytest.raises(Killed):
        attempts.attempt(kill=int(share * undisturbed[1]))
    return attempts


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_one_that_was_killed_goes_on(share: float, tmp_path: Path, undisturbed: tuple[dict[str, str], int]) -> None:
    attempts = killed_at(share, tmp_path, undisturbed)
    assert all(1 <= len(named) <= KEPT for named in attempts.named)
    assert hashes(attempts.attempt()) == undisturbed[0]
    assert attempts.evaluations < undisturbed[1] * (1.0 - 0.2 * share)


def test_one_that_is_told_to_leave_keeps_what_it_knows_first(
    tmp_path: Path, undisturbed: tuple[dict[str, str], int]
) -> None:
    attempts = Attempts(tmp_path, every_s=1e6)
    with pytest.raises(Stopped):
        attempts.attempt(leave=undisturbed[1] // 2)
    assert len(attempts.named) == 1
    assert hashes(attempts.attempt()) == undisturbed[0]
    assert attempts.evaluations < undisturbed[1] * 0.75


def results(attempts: Attempts, outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(attempts.job.artifacts.get(outcome.artifacts[RESULTS]))
    return found


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_one_whose_time_is_over_makes_a_result_of_what_there_is(
    share: float, tmp_path: Path, undisturbed: tuple[dict[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = killed_at(share, tmp_path, undisturbed)
    ended: list[str] = []
    step = JobJournal.step

    def counted(journal: JobJournal, name: str, *of: Tensor) -> Step:
        found = step(journal, name, *of)
        ended.extend([name] if found.done is not None else [])
        return found

    monkeypatch.setattr(JobJournal, "step", counted)
    known = len(attempts.entries())
    outcome = attempts.attempt(finish_only=True)
    assert len(ended) == known, "nothing that was known is done again, or given up"
    models = results(attempts, outcome)["models"]
    assert [model["model"] for model in models] == ["discrete-4", "discrete-8", "continuum"]
    assert not known or models[0]["status"] == "converged"
    assert {model["status"] for model in models} <= {"converged", "time_limit"}


def test_one_whose_time_is_over_goes_on_in_the_smaller_parts_that_its_memory_took(
    tmp_path: Path, undisturbed: tuple[dict[str, str], int]
) -> None:
    attempts = Attempts(tmp_path)
    attempts.job = replace(attempts.job, frugal=True)
    with pytest.raises(Killed):
        attempts.attempt(kill=int(0.9 * undisturbed[1]))
    attempts.job = replace(attempts.job, frugal=False)  # as every attempt begins
    models = results(attempts, attempts.attempt(finish_only=True))["models"]
    assert models[0]["status"] == "converged"


def test_its_time_goes_on_from_before_memory_ran_out(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    attempts.job = replace(attempts.job, started=time.monotonic() - 1e6)
    with pytest.raises(UserError, match="came before any model was evaluated"):
        attempts.attempt()


def torn(attempts: Attempts) -> None:
    path = attempts.checkpoints[0].path
    attempts.job.artifacts.put(path, attempts.job.artifacts.get(path)[:-1], "")


def gone(attempts: Attempts) -> None:
    attempts.job.artifacts.delete(attempts.checkpoints[0].path)


def with_a_torn_segment(attempts: Attempts) -> None:
    attempts.job.artifacts.put(attempts.segments()[-1].path, b"torn", "")


@pytest.mark.parametrize("fault", [torn, gone, with_a_torn_segment])
def test_what_is_torn_falls_back(
    fault: Callable[[Attempts], None],
    tmp_path: Path,
    undisturbed: tuple[dict[str, str], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = killed_at(0.6, tmp_path, undisturbed)
    fault(attempts)
    assert hashes(attempts.attempt()) == undisturbed[0]
    assert "torn" in caplog.text
    assert attempts.evaluations < undisturbed[1]


def test_steps_of_another_version_are_not_gone_on_from(
    tmp_path: Path,
    undisturbed: tuple[dict[str, str], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = killed_at(0.6, tmp_path, undisturbed)
    monkeypatch.setattr("worker.execution.journal.version", lambda _: "another")
    assert hashes(attempts.attempt()) == undisturbed[0]
    assert attempts.evaluations == undisturbed[1]
    assert "not gone on from" in caplog.text


def test_no_more_is_kept_than_may_be(
    tmp_path: Path, undisturbed: tuple[dict[str, str], int], caplog: pytest.LogCaptureFixture
) -> None:
    attempts = killed_at(0.6, tmp_path, undisturbed, most_bytes=20_000)
    assert "larger than" in caplog.text
    kept = [entry["size"] for batch in attempts.job.artifacts._store.list(checkpoints_prefix(JOB)) for entry in batch]
    assert sum(kept) <= 20_000 * (KEPT + 2)
    assert hashes(attempts.attempt()) == undisturbed[0]


def test_a_store_that_takes_nothing_fails_no_job(
    tmp_path: Path,
    undisturbed: tuple[dict[str, str], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no space left")

    attempts = Attempts(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(JobInput, "checkpoint", full)
        with pytest.raises(Killed):
            attempts.attempt(kill=undisturbed[1] // 3)
    assert not attempts.named
    assert "no space left" in caplog.text
    assert hashes(attempts.attempt()) == undisturbed[0]


def test_a_checkpoint_that_could_not_be_written_spoils_no_other(
    tmp_path: Path, undisturbed: tuple[dict[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, heads = JobInput.checkpoint, count(1)

    def once_full(job: JobInput, name: str, content: bytes) -> ArtifactRef:
        if not name.endswith("-steps") and next(heads) == 3:
            raise StorageError("no space left")
        return keep(job, name, content)

    monkeypatch.setattr(JobInput, "checkpoint", once_full)
    attempts = killed_at(0.6, tmp_path, undisturbed)
    for segment in attempts.segments():
        attempts.job.artifacts.get(segment)  # it is what its hash says
    assert hashes(attempts.attempt()) == undisturbed[0]


def of_no_known_form(attempts: Attempts) -> None:
    head = attempts.job.artifacts.get(attempts.checkpoints[0]).partition(b"\n")[0]
    written = attempts.job.artifacts.put(attempts.checkpoints[0].path, head + b"\nPK\x03\x04\x80", "")
    attempts.named.append([written, *attempts.checkpoints[1:]])


def of_no_form_at_all(attempts: Attempts) -> None:
    attempts.named.append([attempts.job.artifacts.put(attempts.checkpoints[0].path, b"\x80", "")])


@pytest.mark.parametrize("damage", [of_no_known_form, of_no_form_at_all])
def test_what_is_whole_and_not_understood_falls_back(
    damage: Callable[[Attempts], None], tmp_path: Path, undisturbed: tuple[dict[str, str], int]
) -> None:
    attempts = killed_at(0.9, tmp_path, undisturbed)
    damage(attempts)
    assert hashes(attempts.attempt()) == undisturbed[0]


def test_a_value_that_cannot_be_kept_costs_the_checkpoints_and_not_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named: list[object] = []
    job = replace(job_of(tmp_path, **SPEC), keeping=Keeping(every_s=0.0, commit=named.append))
    journal = JobJournal(job, {})
    journal.step("a fit").ended({"n": {1, 2}})
    journal.close()
    assert named == []
    assert "is not plain" in caplog.text


def test_checkpoints_come_more_seldom_once_they_have_taken_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.execution.journal.SHARE", 0.05)
    monkeypatch.setattr("worker.execution.journal.ADVANCE_S", 1.0)
    processor, now, written = count(step=0.25), 0.0, []  # each takes half a second: what is read, and what is written
    monkeypatch.setattr("worker.execution.journal.time", SimpleNamespace(thread_time=lambda: next(processor)))
    keeping = Keeping(every_s=5.0, commit=lambda _: written.append(now))
    journal = JobJournal(replace(job_of(tmp_path, **SPEC), keeping=keeping), {}, clock=lambda: now)
    step = journal.step("a fit")
    for second in range(61):
        now = float(second)
        step.going(dict)
        journal.close()
    assert written == [5, 10, 15, 20, 25, 30, 40, 50, 60]


def test_few_objects_are_left(tmp_path: Path, undisturbed: tuple[dict[str, str], int]) -> None:
    attempts = killed_at(0.9, tmp_path, undisturbed)
    store: ArtifactStore = attempts.job.artifacts
    left = {entry["path"] for batch in store._store.list(checkpoints_prefix(JOB)) for entry in batch}
    named = {ref.path for ref in attempts.checkpoints}
    segments = {ref.path for ref in attempts.segments()}
    assert named <= left
    assert len(left - named - segments) <= 2
