"""Job store and objects know each other again."""

from pathlib import Path

import pytest

from service.artifacts import ArtifactStore
from service.jobstore import JobStore, StoresApartError, check_together


def test_they_are_given_one_id_and_known_by_it(store: JobStore, tmp_path: Path) -> None:
    ours, others = ArtifactStore(tmp_path / "ours"), ArtifactStore(tmp_path / "others")
    check_together(store.redis, ours)
    identity = ours.identity()
    assert identity
    check_together(store.redis, ours)
    assert ours.identify("another") == identity
    with pytest.raises(StoresApartError, match="others"):
        check_together(store.redis, others)
    assert others.identity() is None, "whoever is wrong leaves no trace"
    others.identify("another")
    with pytest.raises(StoresApartError):
        check_together(store.redis, others)


def test_a_job_store_that_was_lost_takes_the_id_of_its_objects(store: JobStore, tmp_path: Path) -> None:
    ours = ArtifactStore(tmp_path / "ours")
    check_together(store.redis, ours)
    identity = ours.identity()
    store.redis.flushall()
    check_together(store.redis, ours)
    assert ours.identity() == identity
    with pytest.raises(StoresApartError):
        check_together(store.redis, ArtifactStore(tmp_path / "others"))
