"""Real jobs in processes of their own: the peak is near the estimate, and within ``limits.memory_mb``."""

import sys
from typing import Any

import pytest

from benchmarks.memory import LOOSE, added_at_peak, specification
from service.contract.train.resolve import resolve_train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MANY: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 8000},
    "discrete": {"depths": [64]},
    "continuum": None,
    "training": LOOSE | {"max_iterations": 15},
}


def test_a_job_of_many_samples_takes_what_was_estimated_and_no_more_than_it_may() -> None:
    free, bound = (resolve_train(specification(MANY | more)) for more in ({}, {"limits": {"memory_mb": 100}}))
    freely, bounded = added_at_peak(free), added_at_peak(bound)
    assert 1 / 1.5 < free.estimate.memory_bytes / freely < 1.5
    assert bounded <= 100 * 2**20 < freely
    assert 1 / 1.5 < bound.estimate.memory_bytes / bounded < 1.5
