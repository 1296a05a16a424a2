"""Which workers live: one key each, which runs out when its worker falls silent."""

from typing import Final

import redis

from service.contract.job import WorkerInfo

ROOT: Final = "deeplimit:worker:"
IDS: Final = "deeplimit:workers"


class WorkerRegistry:
    """Live workers in Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def register(self, worker: WorkerInfo, ttl_s: float) -> None:
        """Keep `worker` for `ttl_s` seconds."""
        pipeline = self._redis.pipeline()
        pipeline.set(ROOT + worker.id, worker.model_dump_json(), px=round(ttl_s * 1000))
        pipeline.sadd(IDS, worker.id)
        pipeline.execute()

    def unregister(self, worker_id: str) -> None:
        """Forget a worker."""
        pipeline = self._redis.pipeline()
        pipeline.delete(ROOT + worker_id)
        pipeline.srem(IDS, worker_id)
        pipeline.execute()

    def live(self) -> list[WorkerInfo]:
        """Workers that have not fallen silent, by id."""
        ids: list[str] = sorted(self._redis.smembers(IDS))  # type: ignore[arg-type]  # sync client
        if not ids:
            return []
        found: list[str | None] = self._redis.mget([ROOT + i for i in ids])  # type: ignore[assignment]  # sync client
        silent = [i for i, text in zip(ids, found, strict=True) if text is None]
        if silent:
            self._redis.srem(IDS, *silent)
        return [WorkerInfo.model_validate_json(text) for text in found if text is not None]
