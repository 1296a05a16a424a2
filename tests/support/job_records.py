"""Jobs for tests of the store."""

import json
import secrets
from typing import Any

from service.contract.job import JobRecord, NewJob
from service.jobstore import Claim, JobStore, Unsettled


def new_job(*, spec: Any = None, **fields: Any) -> NewJob:
    text = json.dumps(spec or {"a": 0.1})
    return NewJob(**{"id": secrets.token_hex(8), "kind": "train", "spec": text, "spec_sha256": "0", **fields})


def submit(store: JobStore, **fields: Any) -> JobRecord:
    new = new_job(**fields)
    if new.artifacts:
        Unsettled(store.redis).announce(new.id)
    job, replayed = store.create(new, idempotency_key=None, body_sha256="b")
    assert not replayed
    return job.whole()


def claimed(store: JobStore, **fields: Any) -> Claim:
    submit(store, **fields)
    claim = store.claim("worker")
    assert claim is not None
    return claim


def expire_lease(store: JobStore, job_id: str) -> None:
    """Have the lease run out now."""
    assert store.redis.zadd("deeplimit:leases", {job_id: 0}, xx=True) == 0
