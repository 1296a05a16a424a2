"""Job store and objects know each other again."""

from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.jobstore import JobStore, StoresApartError, StoresUnnamedError, check_together


def test_they_are_given_one_id_and_known_by_it(store: JobStore, tmp_path: Path) -> None:
    ours, others = ArtifactStore(tmp_path / "ours"), ArtifactStore(tmp_path / "others")
    assert not check_together(store.redis, ours, name=True)
    identity = ours.identity()
    assert identity
    check_together(store.redis, ours, name=True)
    assert ours.identify("another") == identity
    with pytest.raises(StoresApartError, match="others"):
        check_together(store.redis, others, name=True)
    assert others.identity() is None, "whoever is wrong leaves no trace"
    others.identify("another")
    with pytest.raises(StoresApartError):
        check_together(store.redis, others, name=True)


def test_a_job_store_that_was_lost_takes_the_id_of_its_objects(store: JobStore, tmp_path: Path) -> None:
    ours = ArtifactStore(tmp_path / "ours")
    check_together(store.redis, ours, name=True)
    identity = ours.identity()
    store.redis.flushall()
    assert check_together(store.redis, ours, name=True), "it is told"
    assert not check_together(store.redis, ours, name=True)
    assert ours.identity() == identity
    with pytest.raises(StoresApartError):
        check_together(store.redis, ArtifactStore(tmp_path / "others"), name=True)


def test_a_worker_gives_no_id_and_waits_for_one(store: JobStore, tmp_path: Path) -> None:
    ours, others = ArtifactStore(tmp_path / "ours"), ArtifactStore(tmp_path / "others")
    others.identify("of another service")
    for objects in (ours, others):
        with pytest.raises(StoresUnnamedError):
            check_together(store.redis, objects, name=False)
    assert ours.identity() is None
    check_together(store.redis, ours, name=True)
    check_together(store.redis, ours, name=False)
    with pytest.raises(StoresApartError):
        check_together(store.redis, others, name=False)


def test_what_the_error_says_helps(store: JobStore, tmp_path: Path) -> None:
    ours = ArtifactStore(tmp_path / "ours")
    check_together(store.redis, ours, name=True)
    identity = tmp_path / "ours" / "store-id"
    kept = identity.read_bytes()
    identity.unlink()
    with pytest.raises(StoresApartError, match="put their object store-id back, or delete the key deeplimit:store"):
        check_together(store.redis, ours, name=True)
    identity.write_bytes(kept)
    check_together(store.redis, ours, name=True)
    identity.unlink()
    store.redis.delete("deeplimit:store")
    check_together(store.redis, ours, name=True)
    assert ours.identity() != kept.decode()
