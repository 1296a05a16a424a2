"""Which workers live: one key each, which runs out when its worker falls silent."""

import socket
from typing import Final

import redis

from service.contract.job import WorkerInfo
from service.jobstore import keys

LONGEST_S: Final = 60
"""Time after which a silent worker is forgotten in any case: its key may be from before the clock was set back."""


def worker_prefix(name: str | None, pid: int) -> str:
    """Return what the id of a worker begins with: its name or the machine's, and the process that takes its jobs."""
    return f"{name or socket.gethostname()}/{pid}-"


class WorkerRegistry:
    """Live workers in Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def register(self, worker: WorkerInfo, ttl_s: float) -> None:
        """Keep `worker` for `ttl_s` seconds, at most `LONGEST_S` of which count from when somebody looks."""
        pipeline = self._redis.pipeline()
        pipeline.set(keys.WORKER + worker.id, worker.model_dump_json(), px=round(ttl_s * 1000))
        pipeline.sadd(keys.WORKERS, worker.id)
        pipeline.execute()

    def unregister(self, worker_id: str) -> None:
        """Forget a worker."""
        pipeline = self._redis.pipeline()
        pipeline.delete(keys.WORKER + worker_id)
        pipeline.srem(keys.WORKERS, worker_id)
        pipeline.execute()

    def release(self, holder: str) -> None:
        """Forget the workers whose ids begin with `holder`."""
        ids: set[str] = self._redis.smembers(keys.WORKERS)  # type: ignore[assignment]  # sync client
        for worker_id in ids:
            if worker_id.startswith(holder):
                self.unregister(worker_id)

    def live(self) -> list[WorkerInfo]:
        """Workers that have not fallen silent, by id."""
        ids: list[str] = sorted(self._redis.smembers(keys.WORKERS))  # type: ignore[arg-type]  # sync client
        if not ids:
            return []
        texts: list[str | None] = self._redis.mget([keys.WORKER + i for i in ids])  # type: ignore[assignment]  # sync client
        silent = [i for i, text in zip(ids, texts, strict=True) if text is None]
        if silent:
            self._redis.srem(keys.WORKERS, *silent)
        pipeline = self._redis.pipeline(transaction=False)
        for worker_id in set(ids) - set(silent):
            pipeline.expire(keys.WORKER + worker_id, LONGEST_S, lt=True)
        pipeline.execute()
        return [worker for worker in map(_read, texts) if worker is not None]


def _read(text: str | None) -> WorkerInfo | None:
    """Read what a worker says of itself; None where it is silent, or cannot be read."""
    try:
        return None if text is None else WorkerInfo.model_validate_json(text)
    except ValueError:  # a later version's, or damaged
        return None
