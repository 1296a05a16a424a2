"""Studies that several tests look at, trained once."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from deeplimit.mathematics import ContinuumOptions, TrainedStudy, Training, train
from tests.support import known_answers

# The first call of a numerical library may take long on a busy machine: no law depends on it.
settings.register_profile("numerics", deadline=None)
settings.load_profile("numerics")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """The arrays are small: a second thread costs more than it gives."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def linear() -> TrainedStudy:
    """B to depth 256."""
    return sharp("identity")


@pytest.fixture(scope="session")
def tanh() -> TrainedStudy:
    """C to depth 256."""
    return sharp("tanh")


def sharp(activation: str) -> TrainedStudy:
    return train(
        known_answers.odd_pair(activation),
        depths=(8, 16, 32, 64, 128, 256),
        continuum=ContinuumOptions(tolerance=1e-10),
        training=Training(gradient_tolerance=1e-10),
    )


@pytest.fixture(scope="session")
def breast_cancer() -> TrainedStudy:
    """E with two starts."""
    return train(known_answers.breast_cancer(), depths=(8, 16, 32, 64), training=Training(starts=2))


@pytest.fixture(scope="session")
def moons() -> TrainedStudy:
    """Two moons, d = 4, from twelve starts."""
    return train(known_answers.two_moons(), depths=(8, 16, 32, 64, 128), training=Training(starts=12))
