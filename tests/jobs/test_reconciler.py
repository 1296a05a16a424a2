"""The thread that mends what a crash leaves goes on whatever happens in it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from service.jobs.dispatch import Dispatcher
from service.jobs.reconciler import Reconciler
from service.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

    from service.datasets.datasets import Datasets
    from service.jobstore import JobStore


class Broken(Scratch):
    """Temporary files that cannot be swept, for a reason that nobody thought of."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.again = threading.Event()
        self._before = 0

    def sweep(self) -> int:
        self._before += 1
        if self._before > 1:
            self.again.set()
        raise RuntimeError


def test_what_cannot_be_swept_does_not_end_it(
    redis_url: str, store: JobStore, datasets: Datasets, tmp_path: Path
) -> None:
    scratch, dispatcher = Broken(tmp_path), Dispatcher(redis_url, store.redis)
    passes: list[bool] = []
    reconciler = Reconciler(store, dispatcher, datasets, scratch=scratch, interval_s=0.01)
    once = reconciler.once
    reconciler.once = lambda: passes.append(once()) or True  # type: ignore[method-assign, func-returns-value]  # to count
    reconciler.start()
    try:
        assert scratch.again.wait(30.0)
    finally:
        reconciler.stop()
        dispatcher.close()
    assert passes[:1] == [True]
