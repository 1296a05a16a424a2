"""One subscription to the revisions of all jobs, for those who wait for one."""

import secrets
import threading
from collections.abc import Callable
from typing import Any, Final

import redis

from service.contract.job import JobStatus, Revision
from service.jobstore import keys

Listener = Callable[[Revision | None], None]

RECONNECT_S: Final = 0.2
WAKE_S: Final = 5.0


class RevisionFeed:
    """A daemon thread that calls `listener` with each revision.

    It calls it with None whenever the subscription has been (re)established: announcements may have been missed before
    that, so whoever waits has to look for himself. The listener runs in the feed's thread and must not block.
    """

    def __init__(self, client: redis.Redis, listener: Listener) -> None:
        self._redis = client
        self._listener = listener
        self._stopping = threading.Event()
        self._own_channel = keys.FEED + secrets.token_hex(8)
        self._thread = threading.Thread(target=self._run, name="revision-feed", daemon=True)

    def start(self) -> None:
        """Subscribe, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop calling the listener, and end the thread."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        try:
            self._redis.publish(self._own_channel, "")  # wakes the thread
        except redis.RedisError:
            return  # the thread cannot be reached either; it ends by itself soon
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._redis.pubsub() as subscription:  # type: ignore[no-untyped-call]  # redis-py's
                    subscription.subscribe(keys.REVISIONS, self._own_channel)
                    while not self._stopping.is_set():
                        message = subscription.get_message(timeout=WAKE_S)
                        if message is not None and not self._stopping.is_set():
                            self._hear(message)
            except redis.RedisError:
                self._stopping.wait(RECONNECT_S)  # the server is away; a new subscription says so to the listener

    def _hear(self, message: dict[str, Any]) -> None:
        if message["channel"] != keys.REVISIONS:
            return
        if message["type"] == "subscribe":
            self._listener(None)
        elif message["type"] == "message":
            job_id, revision, status = message["data"].split(" ")
            self._listener(Revision(job_id=job_id, revision=int(revision), status=JobStatus(status)))
