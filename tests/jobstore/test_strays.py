"""Entries without a record that fits: they are set aside and counted, and stop nobody."""

import pytest

from service.contract.job import JobStatus
from service.jobstore import JobStore, keys
from tests.support.job_records import claimed, expire_lease, submit


def damage(store: JobStore, place: str) -> None:
    """Put entries first whose records are missing, of another type, in another state, or lack what every record has."""
    store.redis.set(f"{keys.JOB}text", "not a hash")
    store.redis.hset(f"{keys.JOB}part", "status", "queued")
    ended = submit(store).id
    store.request_cancel(ended)
    for job_id in ("none", "text", "part", ended):
        store.redis.zadd(place, {job_id: 1})


def test_stray_entries_of_the_queue_stop_no_claim(store: JobStore) -> None:
    damage(store, keys.QUEUED)
    job = submit(store)
    claim = store.claim("worker")
    assert claim is not None
    assert claim.record.id == job.id
    assert store.claim("worker") is None
    assert store.strays() == {"queue": 4, "deferred": 0, "leases": 0}


def test_stray_entries_of_those_that_wait_their_time_stop_nothing(store: JobStore) -> None:
    damage(store, keys.DEFERRED)
    submit(store)
    assert store.reconcile().queued == 1
    assert store.strays() == {"queue": 0, "deferred": 4, "leases": 0}


def test_stray_leases_stop_no_reconciliation(store: JobStore) -> None:
    damage(store, keys.LEASES)
    lost = claimed(store)
    expire_lease(store, lost.record.id)
    assert store.reconcile().requeued == 1
    assert store.strays() == {"queue": 0, "deferred": 0, "leases": 4}
    after = store.get(lost.record.id)
    assert after is not None
    assert after.status is JobStatus.QUEUED
    assert store.redis.zcard(keys.LEASES) == 0
    assert store.reconcile().requeued == 0


@pytest.mark.parametrize("place", ["queue", "leases"])
def test_what_is_set_aside_is_kept_for_who_looks(store: JobStore, place: str) -> None:
    damage(store, {"queue": keys.QUEUED, "leases": keys.LEASES}[place])
    store.claim("worker")
    store.reconcile()
    assert {"none", "text", "part"} < set(store.redis.zrange(keys.STRAYS + place, 0, -1))


def test_stray_leases_stop_no_release(store: JobStore) -> None:
    damage(store, keys.LEASES)
    submit(store)
    assert store.claim("serve/0/1") is not None
    assert store.release("serve/0/") == 1
