"""What befalls the job store's server and the hints in it, while it lives."""

from random import Random

import redis

from service.contract.names import QUEUE
from service.jobstore import keys
from tests.chaos.faults.registry import fault
from tests.chaos.target import Target
from tests.support.service import pause

GARBAGE = (
    b"not JSON",
    b"\xff\xfe\x00",
    b"",
    b"{}",
    b"[]",
    b'{"body": "", "properties": {}}',
    b'{"body": "e30=", "headers": {"task": "no.such.task", "id": "1"}, "properties": {"delivery_tag": "1"}}',
)


@fault("memory")
def no_memory(target: Target, random: Random) -> None:
    """Let Valkey have no more memory than it uses, for a while."""
    seconds = random.uniform(0.5, 4.0)
    try:
        with target.valkey() as valkey:
            valkey.config_set("maxmemory", 1)
            target.journal.write("chaos", "maxmemory", seconds=seconds)
            pause(seconds)  # as long as the fault is to last
            valkey.config_set("maxmemory", 0)
    except redis.RedisError as failure:  # it was replaced meanwhile, with all the memory that it likes
        target.journal.write("chaos", "maxmemory", failure=str(failure))


@fault("connections")
def cut_connections(target: Target, random: Random) -> None:
    """Cut every connection to Valkey, several times."""
    with target.valkey() as valkey:
        for _ in range(random.randint(1, 5)):
            for kind in ("normal", "pubsub"):
                cut = valkey.client_kill_filter(_type=kind, skipme=True)
                target.journal.write("chaos", "cut", connections=cut)
            pause(random.uniform(0.0, 0.3))  # so that some are cut while they are made again


@fault("hints-flushed")
def flush_hints(target: Target, random: Random) -> None:
    """Delete the hints, several times."""
    with target.valkey() as valkey:
        for _ in range(random.randint(1, 10)):
            target.journal.write("chaos", "flushed", hints=valkey.llen(QUEUE))
            valkey.delete(QUEUE)
            pause(0.05)  # so that later ones are hit as well


@fault("hints-duplicated")
def duplicate_hints(target: Target, random: Random) -> None:
    """Put every hint there several times."""
    with target.valkey() as valkey:
        hints: list[bytes] = valkey.lrange(QUEUE, 0, 50)  # type: ignore[assignment]  # sync client
        copies = random.randint(1, 4)
        if hints:
            valkey.lpush(QUEUE, *hints * copies)
        target.journal.write("chaos", "duplicated", hints=len(hints), copies=copies)


@fault("hints-garbage")
def send_garbage(target: Target, random: Random) -> None:
    """Put among the hints what is none, and announce what is no revision."""
    garbage = random.choice(GARBAGE)
    with target.valkey() as valkey:
        valkey.rpush(QUEUE, garbage)
        valkey.publish(keys.REVISIONS, garbage)
    target.journal.write("chaos", "garbage", hint=repr(garbage))
