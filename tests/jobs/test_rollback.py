"""A job store that was set back to an earlier state, while workers went on: no result is lost by it, or mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.contract import names
from service.contract.job import JobStatus
from service.contract.values.media_types import JSON
from service.jobstore import JobStore, LeaseState, StaleFence
from tests.support.job_records import submit

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.contract.job import ArtifactRef
    from tests.jobs.ended import Objects


def remembered(store: JobStore) -> Callable[[], None]:
    """Return what sets the server back to the state in which it is now, as from a copy of its append-only file."""
    kept = {key: store.redis.dump(key) for key in store.redis.scan_iter()}

    def set_back() -> None:
        store.redis.flushall()
        for key, value in kept.items():
            assert value is not None
            store.redis.restore(key, 0, value)

    return set_back


@pytest.mark.parametrize("first", ["the earlier attempt", "the later attempt"])
def test_an_attempt_from_before_shares_nothing_with_the_one_that_comes_after(
    store: JobStore, objects: Objects, first: str
) -> None:
    store.lease_s = 30.0
    job = submit(store)
    set_back = remembered(store)

    def results(fence: int, of: str) -> dict[str, ArtifactRef]:
        return {names.RESULTS: objects.put(names.results_path(job.id, fence), of.encode(), JSON)}

    earlier = store.claim("worker")
    assert earlier is not None
    set_back()
    later = store.claim("another")
    assert later is not None
    assert later.fence > earlier.fence
    assert store.renew(job.id, earlier.fence) is LeaseState.LOST
    if first == "the earlier attempt":
        lost, kept = results(earlier.fence, "earlier"), results(later.fence, "later")
    else:
        kept, lost = results(later.fence, "later"), results(earlier.fence, "earlier")
    with pytest.raises(StaleFence):
        store.finish(job.id, earlier.fence, JobStatus.SUCCEEDED, artifacts=lost)
    ended = store.finish(job.id, later.fence, JobStatus.SUCCEEDED, artifacts=kept)
    assert objects.get(ended.artifacts[names.RESULTS]) == b"later"
