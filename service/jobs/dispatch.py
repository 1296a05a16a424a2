"""Hints to the workers that jobs wait: messages of Celery's, by the task's name."""

import logging
import uuid
from typing import Any, Final

import redis
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.transport import memory
from kombu.utils import json

from service.contract.names import QUEUE, TASK_HINT
from service.jobstore import broker_url

LOG = logging.getLogger(__name__)


class Dispatcher:
    """Makes hints, and sends them.

    None carries a job: the job store is the truth, and the reconciler replaces a hint that is lost.

    The client, of the server that is the broker, counts the hints that nobody has taken.
    """

    def __init__(self, redis_url: str, client: redis.Redis) -> None:
        self._redis = client
        self._celery = Celery("deeplimit-dispatch", broker=broker_url(redis_url), set_as_current=False)
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
        self._pattern = _Pattern(self._celery)

    def hint(self) -> str:
        """Make a hint as the broker's list `QUEUE` holds it, for the script that commits a job to put there."""
        return self._pattern.another()

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
        """Close the connections."""
        self._celery.close()


class _Pattern:
    """A message as Celery writes it once; the next ones have other ids and are the same otherwise.

    Celery takes longer over a message than all else that creates a job.
    """

    def __init__(self, celery: Celery) -> None:
        written: list[dict[str, Any]] = []

        class Channel(memory.Channel):
            def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:  # noqa: ARG002 - kombu's
                written.append(message)

        class Transport(memory.Transport):
            pass

        Transport.Channel = Channel
        task_id = str(uuid.uuid4())
        with Connection(transport=Transport) as nowhere:
            celery.send_task(TASK_HINT, task_id=task_id, queue=QUEUE, ignore_result=True, connection=nowhere)
        self._text: Final[str] = json.dumps(written[0])
        self._ids: Final = (task_id, written[0]["properties"]["delivery_tag"])

    def another(self) -> str:
        """Return the message with ids of its own."""
        text = self._text
        for old in self._ids:
            text = text.replace(old, str(uuid.uuid4()))
        return text
