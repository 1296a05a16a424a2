"""A short run of `make chaos`; one file, so that one process of the tests does it."""

from pathlib import Path

import pytest

from tests.chaos import report
from tests.chaos.storm import Plan, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]  # a busy machine takes its time to calm down

SECONDS = 45.0
SEED = 11


def test_whatever_dies_nothing_is_lost(tmp_path: Path) -> None:
    outcome = run(Plan(SEED, SECONDS), tmp_path, lambda _: None)
    told = "\n".join(report.lines(outcome, None, "make chaos"))
    assert outcome.broken == {}, told
    assert outcome.faults.total() >= 3, told
    assert outcome.jobs > 0, told
