"""The executor that keeps checkpoints goes on from the newest whole one, so that a torn one costs what lies between."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.artifacts import ArtifactStore
from tests.support import slow_executor
from tests.support.service import slow_job
from tests.support.slow_executor import KEEP_STEPS, Behaviour
from worker.executor import JobInput, Keeping

if TYPE_CHECKING:
    from service.contract.job import ArtifactRef, Progress


@pytest.mark.parametrize(("torn", "begun"), [(0, 2 * KEEP_STEPS), (1, KEEP_STEPS), (2, 0)])
def test_where_another_attempt_begins(tmp_path: Path, torn: int, begun: int) -> None:
    artifacts = ArtifactStore(tmp_path)
    committed: list[list[ArtifactRef]] = []
    keeping = Keeping(commit=lambda references: committed.append(list(references)))
    spec = slow_job(seconds=0.45, behaviour=Behaviour.KEEPING)
    first = JobInput("job", 1, spec, artifacts, keeping=keeping)
    slow_executor.execute(first, lambda _: None, lambda: False)
    left = committed[-1]
    for reference in left[:torn]:
        (tmp_path / reference.path).write_bytes(b"{")
    reported: list[Progress] = []
    second = JobInput("job", 2, spec, artifacts, checkpoints=left)
    slow_executor.execute(second, reported.append, lambda: False)
    assert round(reported[0].fraction * 45) == begun + 1
