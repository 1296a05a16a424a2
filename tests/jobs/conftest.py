"""Use cases on an empty job store and an empty store of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.contract.values.limits import LIMITS
from service.datasets.datasets import Datasets
from service.datasets.store import DatasetStore
from service.jobs.dispatch import Dispatcher
from service.jobs.jobs import Jobs
from service.jobs.plans import Planner
from service.scratch import Scratch
from tests.jobs.ended import Objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.jobstore import JobStore


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "artifacts")


@pytest.fixture
def datasets(store: JobStore, objects: Objects, tmp_path: Path) -> Iterator[Datasets]:
    scratch = Scratch(tmp_path)
    yield Datasets(DatasetStore(store.redis), objects, LIMITS, scratch)
    scratch.close()


@pytest.fixture
def jobs(redis_url: str, store: JobStore, objects: Objects, datasets: Datasets) -> Iterator[Jobs]:
    dispatcher = Dispatcher(redis_url, store.redis)
    yield Jobs(store, objects, dispatcher, Planner(store, objects, datasets, LIMITS))
    dispatcher.close()
