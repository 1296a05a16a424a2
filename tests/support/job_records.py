"""Jobs for tests of the store."""

import secrets
from typing import Any

from service.contract.job import JobRecord, NewJob
from service.jobstore import Claim, JobStore


def new_job(**fields: Any) -> NewJob:
    return NewJob(**{"id": secrets.token_hex(8), "kind": "train", "spec": {"a": 0.1}, "spec_sha256": "0", **fields})


def submit(store: JobStore, **fields: Any) -> JobRecord:
    record, replayed = store.create(new_job(**fields), idempotency_key=None, body_sha256="b")
    assert not replayed
    return record


def claimed(store: JobStore, **fields: Any) -> Claim:
    submit(store, **fields)
    claim = store.claim("worker")
    assert claim is not None
    return claim


def expire_lease(store: JobStore, job_id: str) -> None:
    """Have the lease run out now."""
    assert store.redis.zadd("deeplimit:leases", {job_id: 0}, xx=True) == 0
