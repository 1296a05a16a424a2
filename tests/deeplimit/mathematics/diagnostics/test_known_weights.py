"""How well weights are known, and from how many starts, decides what may be said of their sequence."""

import copy

import numpy as np
import pytest

from deeplimit.mathematics import DepthStart, Scaling, Training, train
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass, TrainedFacts
from deeplimit.mathematics.diagnostics.sequence.study_class import classify_study
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise.solution import Status
from deeplimit.mathematics.study.sweep import run_study
from tests.support import sequences
from tests.support.small_problems import trained

DEPTHS = (8, 16, 32, 64)


def evidence(found: Classification, name: str) -> Evidence:
    return next(row for row in found.evidence if row.name == name)


def noise(size: float) -> list[NetworkWeights]:
    rng = np.random.default_rng(0)
    shapes = {"K": (2, 2), "b": (2,)}
    return [
        NetworkWeights({name: size * rng.normal(size=(n, *shape)) for name, shape in shapes.items()}) for n in DEPTHS
    ]


def test_weights_that_are_zero_to_rounding_are_constant() -> None:
    """Wherever they come from; the control are the same numbers, larger."""
    found = classify(noise(1e-15))
    assert found.sequence_class is SequenceClass.CONSTANT_WEIGHTS
    assert "all weights are 0 to rounding" in evidence(found, "null_solution").detail
    assert classify(noise(1e-3)).sequence_class is SequenceClass.ROUGH


def test_weights_below_their_error_are_zero_to_the_accuracy_of_the_optimisation() -> None:
    found = classify(noise(1e-6), facts=TrainedFacts(resolution=1e-4))
    assert found.sequence_class is SequenceClass.CONSTANT_WEIGHTS
    assert "0 to the accuracy of the optimisation" in evidence(found, "null_solution").detail
    assert classify(noise(1e-6), facts=TrainedFacts(resolution=1e-7)).sequence_class is SequenceClass.ROUGH


@pytest.mark.parametrize("tolerance", [1e-1, 3e-2, 1e-2])
def test_weights_that_are_hardly_known_are_not_called_constant(tolerance: float) -> None:
    """K runs from 0.66 to 0.91 in the limit: an error as large as that is no reason to call it constant."""
    found = train(sequences.odd_pair(), DEPTHS, training=Training(tolerance, starts=1)).diagnostics.classification
    assert found is not None
    assert found.sequence_class is not SequenceClass.CONSTANT_WEIGHTS


def trained_from_independent_layers(seed: int) -> list[NetworkWeights]:
    """One network of every depth, minimised without a regulariser of the layers from normal ones: they have β = 0."""
    training = Training(1e-6, starts=1, seed=seed, depth_start=DepthStart.INDEPENDENT)
    branch = run_study(sequences.odd_pair(Scaling.NONE), (*DEPTHS, 128), None, training).verdict_branch
    return [
        NetworkWeights({"K": point.parameters.K.numpy(), "b": point.parameters.b.numpy()})
        for _, point in sorted(branch.points.items())
    ]


def test_starts_give_beta_of_trained_networks_its_interval() -> None:
    """Weights of size n^{−β} (Cohen et al. 2021), from several trained networks of each depth."""
    by_start = [trained_from_independent_layers(seed) for seed in range(4)]
    found = classify([network for networks in by_start for network in networks])
    several, one = evidence(found, "beta").interval, evidence(classify(by_start[0]), "beta").interval
    assert several is not None
    assert one is not None
    assert several[0] <= 0.0 <= several[1]
    assert several[1] - several[0] < 0.7 * (one[1] - one[0])
    # One start does not tell β = 0 from ¼, and several do; ½ would be a Brownian path's.
    assert one[1] > 0.25
    assert several[1] < 0.25
    assert found.sequence_class is SequenceClass.ROUGH


def test_distances_from_a_continuum_that_was_not_found_say_nothing() -> None:
    """The networks are a sequence all the same; what the continuum model is worth is another matter."""
    study = copy.deepcopy(trained("tanh").study)
    fit = study.verdict_branch.continuum
    assert fit is not None
    fit.solution.status = Status.MAX_ITERATIONS
    subject = Subject(study, study.problem.x, "train", certificates=trained("tanh").diagnostics.certificates)
    found = classify_study(subject, trained("tanh").diagnostics)
    assert evidence(found, "depths").value == len(subject.points)
    assert all(row.name != "continuum_distance" for row in found.evidence)
    assert found.sequence_class is SequenceClass.H1_LIMIT
    known = trained("tanh").diagnostics.classification
    assert known is not None
    assert evidence(known, "continuum_distance").value == pytest.approx(-1.0, abs=0.02)
