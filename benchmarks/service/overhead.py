"""Processor time of requests: capabilities, lists of 10,000 records by any filters, a POST beside a bare route.

Run from the project's root:  .venv/bin/python -m benchmarks.service.overhead [records]
"""

import itertools
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import redis

from benchmarks.service.running import Server, bare_route, running_service
from service.contract.job import JobStatus, NewJob
from service.jobstore import JobStore

SPEC = {"kind": "train", "data": {"source": "builtin", "name": "moons"}}
INLINE = {
    "kind": "train",
    "data": {"source": "inline", "inputs": [[1.0], [-1.0]], "targets": [[2.0], [-2.0]]},
    "discrete": {"depths": [8, 16, 32, 64]},
}
RECORDS = 10_000
ROUNDS, REQUESTS = 15, 40
FILTERS = {
    "status": "cancelled",
    "kind": "evaluate",
    "external_id": "plate-3",
    "created_after": "2020-01-01T00:00:00Z",
}


def fill(client: redis.Redis, records: int) -> None:
    """Make jobs of three kinds, a tenth of them with an external id, a third cancelled and a few running."""
    client.config_set("appendfsync", "no")
    store = JobStore(client, max_queued=10**6)
    spec = json.dumps({"kind": "train", "data": {"source": "builtin", "name": "moons"}})
    for k in range(records):
        job = NewJob(
            id=secrets.token_hex(16),
            kind=("train", "evaluate", "diagnose")[k % 3],
            spec=spec,
            spec_sha256="0" * 64,
            name=f"job {k}",
            external_id=f"plate-{k % 7}" if k % 10 == 0 else None,
        )
        store.create(job, idempotency_key=None, body_sha256="")
        if k // 3 % 3 == 0:
            store.request_cancel(job.id)
        elif k % 100 == 1:
            claim = store.claim("worker")
            if claim is not None and k % 200 == 1:
                store.finish(claim.record.id, claim.fence, JobStatus.FAILED)
    client.config_set("appendfsync", "always")


def cpu_ms(server: Server, ask: Callable[[], object], requests: int = REQUESTS) -> float:
    """Return the server's processor time for one request: the median over some rounds."""
    ask()
    found = []
    for _ in range(5):
        before = server.cpu_s()
        for _ in range(requests):
            ask()
        found.append(1e3 * (server.cpu_s() - before) / requests)
    return statistics.median(found)


def lists(server: Server, client: httpx.Client) -> None:
    """Print the processor time of the longest page by every choice of filters, and of the last pages by cursor."""
    for size in range(len(FILTERS) + 1):
        for chosen in itertools.combinations(FILTERS.items(), size):
            query: dict[str, Any] = {"limit": 200, **dict(chosen)}
            shown = len(client.get("/v1/jobs", params=query).json()["items"])
            spent = cpu_ms(server, lambda query=query: client.get("/v1/jobs", params=query), 4)
            print(f"  list by {' and '.join(dict(chosen)) or 'nothing'}: {spent:.1f} ms of CPU for {shown} jobs")


def post_beside_a_bare_route(server: Server, body: dict[str, Any]) -> None:
    """Print what a POST costs and takes, as a multiple of the bare route, by turns."""
    with bare_route() as bare, httpx.Client(base_url=server.url) as ours, httpx.Client(base_url=bare.url) as other:
        spent: dict[str, list[float]] = {"bare": [], "ours": []}
        taken: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            for name, one, client in (("bare", bare, other), ("ours", server, ours)):
                client.post("/v1/jobs", json=body)
                before = one.cpu_s()
                for _ in range(REQUESTS):
                    start = time.perf_counter()
                    client.post("/v1/jobs", json=body).raise_for_status()
                    taken[name].append(1e3 * (time.perf_counter() - start))
                spent[name].append(1e3 * (one.cpu_s() - before) / REQUESTS)
    for what, found in (("CPU", spent), ("latency", taken)):
        bare_ms, ours_ms = statistics.median(found["bare"]), statistics.median(found["ours"])
        best = min(found["ours"]) / min(found["bare"])
        print(f"  {what}: {ours_ms:.2f} ms, bare {bare_ms:.2f} ms: {ours_ms / bare_ms:.2f} times, {best:.2f} at best")


def main() -> None:
    """Print all of it."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with running_service() as (server, valkey), httpx.Client(base_url=server.url, timeout=60.0) as client:
        print(f"capabilities: {cpu_ms(server, lambda: client.get('/v1/capabilities')):.2f} ms of CPU")
        tag = client.get("/v1/capabilities").headers["etag"]
        again = cpu_ms(server, lambda: client.get("/v1/capabilities", headers={"If-None-Match": tag}))
        print(f"capabilities, not modified: {again:.2f} ms of CPU")
        for name, body in (("builtin data", SPEC), ("inline data", INLINE)):
            print(f"POST of a small specification with {name}, every write on disk before it is answered:")
            post_beside_a_bare_route(server, body)
        valkey.config_set("appendfsync", "no")
        print("POST with builtin data, writes not waited for:")
        post_beside_a_bare_route(server, SPEC)
        valkey.flushall()
        fill(valkey, records)
        print(f"lists of {records} records:")
        lists(server, client)


if __name__ == "__main__":
    main()
