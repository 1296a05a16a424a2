"""A thread that makes a pass now and then, whatever happens in one; of several such threads, one at a time does."""

import logging
import secrets
import threading
from typing import Final

import redis
from redis.exceptions import LockError

LOG = logging.getLogger(__name__)

LOCK_S: Final = 10.0
STOPPING_S: Final = 2.0
"""Time that a pass has to end in when the thread is stopped; one that hangs ends with the process."""


class Passes:
    """A thread that makes a pass every `interval_s`.

    Parameters
    ----------
    client
        Of the server that has the lock.
    name
        What is done, for people.
    lock
        Key of the lock of whoever makes a pass.
    """

    def __init__(self, client: redis.Redis, *, name: str, lock: str, interval_s: float) -> None:
        self._redis = client
        self._name = name
        self._lock = lock
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name}-{secrets.token_hex(2)}", daemon=True)

    def start(self) -> None:
        """Begin with a pass now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the pass that is being made; do not wait for long."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOPPING_S)

    def once(self) -> bool:
        """Make one pass, unless somebody else is making one.

        Raises
        ------
        redis.RedisError
            The server cannot be reached.
        """
        lock = self._redis.lock(self._lock, timeout=LOCK_S)
        if not lock.acquire(blocking=False):
            # that of a dead one would last for as long as the server's clock was set back
            self._redis.expire(self._lock, round(LOCK_S), lt=True)
            return False
        try:
            self.work()
        finally:
            try:
                lock.release()
            except LockError:  # it ran out during a slow pass; the pass is idempotent
                LOG.info("a pass of the %s took longer than %g s", self._name, LOCK_S)
        return True

    def work(self) -> None:
        """Do what one pass is for; all of it may be repeated."""
        raise NotImplementedError

    def work_alone(self) -> None:
        """Do before each pass what every process has to do for itself, and without Redis as well."""

    def _run(self) -> None:
        away = False
        while True:
            try:
                self.work_alone()
            except Exception:  # whatever it is, the pass does not need it
                LOG.exception("a pass of the %s failed, before it asked Redis", self._name)
            try:
                self.once()
                away = False
            except redis.RedisError as failure:
                if not away:
                    LOG.warning("the %s cannot reach Redis: %s", self._name, failure)
                away = True
            except Exception:  # whatever it is, the next pass may do what this one could not
                LOG.exception("a pass of the %s failed", self._name)
            if self._stopping.wait(self._interval_s):
                return
