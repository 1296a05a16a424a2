"""A service that runs the slow executor, with short leases, shared by the tests that leave it in order."""

from collections.abc import Iterator

import pytest

from tests.support.service import SLOW, Service

QUICK = {
    "DEEPLIMIT_EXECUTOR": SLOW,
    "DEEPLIMIT_LEASE_S": "2",
    "DEEPLIMIT_RENEW_S": "0.5",
    "DEEPLIMIT_WALL_TIME_GRACE_S": "0.5",
}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service") / "data", QUICK)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of one test's own, not started yet."""
    running = Service(tmp_path_factory.mktemp("own") / "data", QUICK)
    yield running
    if running.started:
        running.stop()
