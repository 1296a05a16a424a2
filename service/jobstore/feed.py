"""One subscription to the revisions of all jobs, for those who wait for one."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import redis

from service.contract.job import Revision
from service.jobstore import keys

LOG = logging.getLogger(__name__)

Listener = Callable[[Revision | None], None]

RECONNECT_S: Final = 0.2
WAKE_S: Final = 5.0
LINGER_S: Final = 10.0
"""Time for which a subscription is kept for those who come next."""


class RevisionFeed:
    """A daemon thread that calls `listener` with each revision, while somebody listens.

    It subscribes when it is told that somebody does, and ends the subscription when nobody has listened for a while:
    to hear every revision of every job takes a process some time.

    It calls it with None whenever the subscription has been (re)established, and after an announcement that it cannot
    read: some may have been missed, so whoever waits has to look for himself. The listener runs in the feed's thread
    and must not block.
    """

    def __init__(self, client: redis.Redis, listener: Listener) -> None:
        self._redis = client
        self._listener = listener
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._until = 0.0
        self._own_channel = keys.FEED + secrets.token_hex(8)
        self._thread = threading.Thread(target=self._run, name="revision-feed", daemon=True)

    def start(self) -> None:
        """Start the thread, which does nothing yet."""
        self._thread.start()

    def listen(self, seconds: float) -> None:
        """Say that somebody listens from now on, for so long at most. Not to be called by two threads."""
        self._until = max(self._until, time.monotonic() + seconds + LINGER_S)
        self._listening.set()

    def stop(self) -> None:
        """Stop calling the listener, and end the thread."""
        self._stopping.set()
        self._listening.set()
        if not self._thread.is_alive():
            return
        try:
            self._redis.publish(self._own_channel, "")  # wakes the thread
        except redis.RedisError:
            return  # the thread cannot be reached either; it ends by itself soon
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while self._listening.wait() and not self._stopping.is_set():
            try:
                with self._redis.pubsub() as subscription:  # type: ignore[no-untyped-call]  # redis-py's
                    subscription.subscribe(keys.REVISIONS, self._own_channel)
                    while self._is_wanted():
                        message = subscription.get_message(timeout=WAKE_S)
                        if message is not None and not self._stopping.is_set():
                            self._hear(message)
            except redis.RedisError:  # the server is away; a new subscription tells the listener
                self._stopping.wait(RECONNECT_S)
            except Exception:  # whatever it is, those who wait need this thread
                LOG.exception("an announcement was not passed on")
                self._stopping.wait(RECONNECT_S)

    def _is_wanted(self) -> bool:
        if time.monotonic() > self._until:
            self._listening.clear()
            if time.monotonic() > self._until:  # else somebody came in between, who may have set it before
                return False
            self._listening.set()
        return not self._stopping.is_set()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["channel"] != keys.REVISIONS:
            return
        if message["type"] == "subscribe":
            self._listener(None)
        elif message["type"] == "message":
            try:
                job_id, revision, status = message["data"].split(" ")
                heard = Revision(job_id=job_id, revision=int(revision), status=status)
            except ValueError:  # somebody else's
                LOG.warning("an announcement cannot be read: %.100r", message["data"])
                heard = None
            self._listener(heard)
