"""Hints reach Celery's queue, are topped up when they are lost, and hold nobody up."""

import json
import re
import socket
import threading

import pytest

from service.contract.names import QUEUE
from service.jobs.dispatch import Dispatcher
from service.jobs.reconciler import Reconciler
from service.jobstore import JobStore, QueueFull, connect
from tests.support.job_records import claimed, expire_lease, new_job, submit

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def pending(store: JobStore, expected: int) -> int:
    """Count the hints, once as many as expected have come or some time has passed."""
    for _ in range(200):
        if store.redis.llen(QUEUE) >= expected:
            break
        threading.Event().wait(0.01)
    return int(store.redis.llen(QUEUE))


def test_hints_reach_the_queue_and_carry_no_job(redis_url: str, store: JobStore) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    job = new_job()
    store.create(job, idempotency_key=None, body_sha256="b", hint=dispatcher.hint())
    assert dispatcher.pending() == 1
    assert job.id not in str(store.redis.lrange(QUEUE, 0, -1))
    dispatcher.close()


def test_a_hint_is_what_celery_would_send(redis_url: str, store: JobStore) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    assert dispatcher.send()
    (sent,) = map(str, store.redis.lrange(QUEUE, 0, -1))
    hints = [dispatcher.hint() for _ in range(2)]
    dispatcher.close()
    found = [
        {part["headers"]["id"], part["headers"]["root_id"], part["properties"]["correlation_id"]}
        | {part["properties"]["delivery_tag"]}
        for part in map(json.loads, (sent, *hints))
    ]
    assert [len(ids) for ids in found] == [2, 2, 2]
    assert len(set().union(*found)) == 6, "no two messages share an id"
    assert {re.sub(UUID, "", text) for text in hints} == {re.sub(UUID, "", sent)}


def test_a_job_that_is_refused_leaves_no_hint(redis_url: str) -> None:
    with connect(redis_url) as client:
        store, dispatcher = JobStore(client, max_queued=0), Dispatcher(redis_url, client)
        with pytest.raises(QueueFull):
            store.create(new_job(), idempotency_key=None, body_sha256="b", hint=dispatcher.hint())
        assert dispatcher.pending() == 0
        dispatcher.close()


def test_lost_hints_are_topped_up_and_no_more(redis_url: str, store: JobStore) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    reconciler = Reconciler(store, dispatcher)
    for _ in range(3):
        submit(store)
    dispatcher.send()
    assert reconciler.once()
    assert reconciler.once()
    assert dispatcher.pending() == 3
    dispatcher.close()


def test_expired_leases_are_found_and_hinted_at(redis_url: str, store: JobStore) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    claim = claimed(store)
    expire_lease(store, claim.record.id)
    assert Reconciler(store, dispatcher).once()
    assert (store.queued(), dispatcher.pending()) == (1, 1)
    dispatcher.close()


def test_the_thread_makes_passes_until_it_is_stopped(redis_url: str, store: JobStore) -> None:
    dispatcher = Dispatcher(redis_url, store.redis)
    reconciler = Reconciler(store, dispatcher, interval_s=0.05)
    reconciler.start()
    submit(store)
    assert pending(store, 1) == 1
    reconciler.stop()
    store.redis.delete(QUEUE)
    assert pending(store, 0) == 0
    dispatcher.close()


def test_a_broker_that_hangs_is_given_up(store: JobStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # takes connections and never answers
        url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
        dispatcher = Dispatcher(url, store.redis)
        assert not dispatcher.send()
        dispatcher.close()


def test_a_broker_that_is_away_is_no_error(store: JobStore) -> None:
    dispatcher = Dispatcher("redis://127.0.0.1:1/0", store.redis)
    assert not dispatcher.send()
    dispatcher.close()
