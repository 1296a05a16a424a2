"""Latency of others while 200 long polls wait for one running job that revises twice a second.

They wait for its end, or, as progress bars do, for its next revision. All polls come from one process beside the one
that measures; the last column is how many of them were answered in the time.

Run from the project's root:  .venv/bin/python -m benchmarks.service.polls
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import secrets
import statistics
import time
from typing import TYPE_CHECKING

import httpx

from benchmarks.service.running import Server, running_service
from service.contract.job import NewJob, Progress
from service.jobstore import JobStore

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    import redis

POLLS = 200
SECONDS = 20.0
REST_S = 0.02
"""Between two requests of the one who measures."""


def main() -> None:
    """Print the table."""
    with running_service() as (server, client):
        job_id, fence = running_job(client)
        print(f"{'polls':>24} {'p50':>8} {'p99':>8} {'answered':>9}", flush=True)
        for name, polls, tagged in (
            ("none", 0, False),
            ("for the end", POLLS, False),
            ("for the next revision", POLLS, True),
        ):
            print(f"{name:>24} {measured(server, client, job_id, fence, polls, tagged=tagged)}", flush=True)


def running_job(client: redis.Redis) -> tuple[str, int]:
    """Make a job that a worker has claimed, and one more that waits."""
    store = JobStore(client, max_queued=10**6)
    for _ in range(2):
        spec = json.dumps({"kind": "train", "data": {"source": "builtin", "name": "moons"}})
        new = NewJob(id=secrets.token_hex(16), kind="train", spec=spec, spec_sha256="0" * 64)
        store.create(new, idempotency_key=None, body_sha256="")
    claim = store.claim("worker")
    if claim is None:
        raise SystemExit("the job cannot be claimed")
    return claim.record.id, claim.fence


def measured(server: Server, client: redis.Redis, job_id: str, fence: int, polls: int, *, tagged: bool) -> str:
    """Return a row: latencies of reading capabilities while so many polls wait."""
    store = JobStore(client, max_queued=10**6)
    answered = multiprocessing.Value("i", 0)
    asked = (f"{server.url}/v1/jobs/{job_id}", polls, answered, '"0"' if tagged else None)
    crowd = multiprocessing.Process(target=wait_together, args=asked)
    crowd.start()
    time.sleep(3.0 if polls else 0.0)  # until all of them wait
    found, begun = list[float](), time.monotonic()
    revised, step = begun, 0
    with httpx.Client(base_url=server.url) as other:
        while (now := time.monotonic()) < begun + SECONDS:
            if now >= revised:
                step += 1
                store.report_progress(job_id, fence, Progress(phase="discrete", fraction=0.5, objective=float(step)))
                store.renew(job_id, fence)
                revised += 0.5
            sent = time.perf_counter()
            other.get("/v1/capabilities").raise_for_status()
            found.append(1e3 * (time.perf_counter() - sent))
            time.sleep(REST_S)
    crowd.kill()
    crowd.join()
    p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
    return f"{p50:5.1f} ms {p99:5.1f} ms {answered.value:>9}"


def wait_together(url: str, polls: int, answered: Synchronized[int], revision: str | None) -> None:
    """Wait for one job with many polls, each of which asks again when it is answered.

    With a revision's tag they wait for the next revision, again and again; with None for the job's end.
    """

    async def poll(client: httpx.AsyncClient) -> None:
        headers = {"Prefer": "wait=60"} | ({} if revision is None else {"If-None-Match": revision})
        while True:
            answer = await client.get(url, headers=headers)
            if revision is not None:
                headers["If-None-Match"] = answer.headers["etag"]
            answered.value += 1

    async def everyone() -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=100, limits=limits) as client:
            await asyncio.gather(*(poll(client) for _ in range(polls)))

    if polls:
        asyncio.run(everyone())


if __name__ == "__main__":
    main()
