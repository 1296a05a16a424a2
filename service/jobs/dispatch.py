"""Hints to the workers that jobs wait, sent through Celery by the task's name."""

import logging
import threading
from queue import SimpleQueue

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from service.contract.names import QUEUE, TASK_HINT

LOG = logging.getLogger(__name__)


class Dispatcher:
    """Sends hints. None carries a job: the job store is the truth, and the reconciler replaces a hint that is lost.

    The client, of the server that is the broker, counts the hints that nobody has taken.
    """

    def __init__(self, redis_url: str, client: redis.Redis) -> None:
        self._redis = client
        self._celery = Celery("deeplimit-dispatch", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            task_publish_retry=False,
            broker_connection_timeout=1.0,
            broker_transport_options={
                "socket_timeout": 1.0,
                "socket_connect_timeout": 1.0,
                "socket_keepalive": True,
                "health_check_interval": 5,
                "max_retries": 0,
                "interval_start": 0,
            },
        )
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def hint(self) -> None:
        """Send a hint soon, from another thread: a broker that hangs does not hold up the caller."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_wanted, name="hints", daemon=True)
                self._thread.start()
        self._wanted.put(True)

    def send(self) -> bool:
        """Send a hint now. A failure is logged and reported, not raised."""
        try:
            self._celery.send_task(TASK_HINT, queue=QUEUE, ignore_result=True, retry=False)
        except (OperationalError, redis.RedisError, OSError) as failure:
            LOG.warning("no hint sent, the reconciler will: %s", failure)
            return False
        return True

    def pending(self) -> int:
        """Count the hints that no worker has taken."""
        return int(self._redis.llen(QUEUE))

    def close(self) -> None:
        """Send what is wanted, and close the connections."""
        if self._thread is not None:
            self._wanted.put(False)
            self._thread.join(timeout=2.0)
        self._celery.close()

    def _send_wanted(self) -> None:
        while self._wanted.get():
            if not self.send():
                while not self._wanted.empty():  # the broker is away: what piled up meanwhile is the reconciler's
                    if not self._wanted.get():
                        return
