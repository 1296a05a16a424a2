"""What kind of limit a sequence of networks has."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from deeplimit.mathematics import DepthStart, Problem, Regularisation, Scaling, TrainedStudy, Training, train
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights, Path, distance
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass
from deeplimit.mathematics.minimise.certificate import Kind
from tests.support import sequences
from tests.support.sequences import Floats
from tests.support.small_problems import bifurcating, critical

DEPTHS = (8, 16, 32, 64)
DEEPER = (*DEPTHS, 128)
SEEDS = range(5)


def evidence(found: Classification, name: str) -> Evidence:
    return next(row for row in found.evidence if row.name == name)


def contains(row: Evidence, value: float) -> bool:
    assert row.interval is not None
    return row.interval[0] <= value <= row.interval[1]


@pytest.fixture(scope="module")
def study() -> TrainedStudy:
    """Known answer C."""
    return train(sequences.odd_pair(), depths=DEPTHS)


@pytest.fixture(scope="module")
def unscaled() -> TrainedStudy:
    """C with Σ‖ΔA‖² for a penalty."""
    problem = sequences.odd_pair(Scaling.UNSCALED)
    return train(problem, depths=DEEPER, continuum=None, training=Training(starts=2))


def test_a_trained_study_has_an_h1_limit(study: TrainedStudy) -> None:
    found = study.diagnostics.classification
    assert found is not None
    assert found.sequence_class is SequenceClass.H1_LIMIT
    for name in ("growth_R", "increment_correlation", "root_sum_square_increments", "continuum_distance"):
        assert evidence(found, name).supports is SequenceClass.H1_LIMIT, name
    assert evidence(found, "p_variation_1").supports is SequenceClass.H1_LIMIT
    assert evidence(found, "fine_scale").supports is SequenceClass.H1_LIMIT
    assert evidence(found, "root_sum_square_increments").value == pytest.approx(-0.5, abs=0.05)
    assert evidence(found, "continuum_distance").value == pytest.approx(-1.0, abs=0.02)
    mismatch, residual = evidence(found, "slope_mismatch").value, evidence(found, "euler_lagrange").value
    assert mismatch is not None
    assert residual is not None
    assert mismatch < 1e-2
    assert residual < 1e-3


def test_the_weights_alone_tell_it_too(study: TrainedStudy) -> None:
    """As for weights trained elsewhere: no continuum, no slope."""
    found = classify(weights_of(study))
    assert found.sequence_class is SequenceClass.H1_LIMIT
    assert all(row.name not in {"slope_mismatch", "euler_lagrange", "penalty_scaling"} for row in found.evidence)


def test_the_order_of_the_layers_matters(study: TrainedStudy) -> None:
    """The same layers, shuffled in every network: the control of the smoothness that the class rests on."""
    rng = np.random.default_rng(0)
    shuffled = [
        NetworkWeights({name: rng.permutation(np.asarray(value)) for name, value in network.layers.items()})
        for network in weights_of(study)
    ]
    found = classify(shuffled)
    assert found.sequence_class is not SequenceClass.H1_LIMIT
    assert evidence(found, "increment_correlation").supports is SequenceClass.ROUGH


def test_nodes_of_a_smooth_function_have_an_h1_limit() -> None:
    assert classify(sequences.smooth(DEPTHS)).sequence_class is SequenceClass.H1_LIMIT


def constants(values: Sequence[Floats]) -> list[NetworkWeights]:
    return [
        NetworkWeights({"K": np.repeat(value[None, :9].reshape(1, 3, 3), n, axis=0), "b": np.tile(value[9:], (n, 1))})
        for n, value in zip(DEPTHS, values, strict=True)
    ]


def test_constant_weights() -> None:
    rng = np.random.default_rng(0)
    value, direction = rng.normal(size=(2, 12))
    assert classify(constants([value] * 4)).sequence_class is SequenceClass.CONSTANT_WEIGHTS
    approaching = classify(constants([value + direction / n for n in DEPTHS]))
    assert approaching.sequence_class is SequenceClass.CONSTANT_WEIGHTS
    assert contains(evidence(approaching, "consecutive_distance"), -1.0)
    nearly = [
        NetworkWeights({"K": value[:9].reshape(3, 3) * (1.0 + 1e-3 * np.arange(n)[:, None, None] / n)}) for n in DEPTHS
    ]
    assert classify(nearly).sequence_class is not SequenceClass.CONSTANT_WEIGHTS
    assert classify(constants([n * value for n in DEPTHS])).sequence_class is SequenceClass.NO_LIMIT


@pytest.mark.parametrize("seed", SEEDS)
def test_constants_that_do_not_approach_each_other_have_no_limit(seed: int) -> None:
    """They were ``constant_weights`` whatever the other depths had."""
    rng = np.random.default_rng(seed)
    unrelated = classify(constants(list(rng.normal(size=(4, 12)))))
    assert unrelated.sequence_class in {SequenceClass.NO_LIMIT, SequenceClass.UNDECIDED}
    first, second = rng.normal(size=(2, 12))
    in_turn = classify(constants([first, second, first, second]))
    assert in_turn.sequence_class is SequenceClass.NO_LIMIT
    assert "do not approach one limit" in evidence(in_turn, "several_limits").detail


@pytest.mark.parametrize("beta", [0.25, 0.5])
def test_independent_gaussian_layers_are_rough(beta: float) -> None:
    networks = [network for seed in SEEDS for network in sequences.gaussian(DEEPER, beta, seed)]
    found = classify(networks)
    assert found.sequence_class is SequenceClass.ROUGH
    assert evidence(found, "beta").value == pytest.approx(beta, abs=0.03)
    assert contains(evidence(found, "beta"), beta)
    assert not contains(evidence(found, "beta"), 0.0)
    # (Σ‖ΔA‖²)^½ tends to a constant for β = ½, as for a Brownian motion, and grows like n^{½−β}; so does (Σ‖A‖²)^½.
    for name in ("root_sum_square", "root_sum_square_increments"):
        assert evidence(found, name).value == pytest.approx(0.5 - beta, abs=0.05)
        assert contains(evidence(found, name), 0.5 - beta)
        assert not contains(evidence(found, name), -0.5)
    assert evidence(found, "increment_correlation").value == pytest.approx(-0.5, abs=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_brownian_paths_are_rough(seed: int) -> None:
    found = classify(sequences.brownian(DEPTHS, seed))
    assert found.sequence_class is SequenceClass.ROUGH
    assert evidence(found, "growth_R").value == pytest.approx(1.0, abs=0.25)
    assert evidence(found, "root_sum_square_increments").value == pytest.approx(0.0, abs=0.13)
    assert evidence(found, "p_variation_1").value == pytest.approx(0.5, abs=0.15)


def test_one_rough_parameter_makes_the_sequence_rough() -> None:
    """Although the other is larger by far."""
    pairs = zip(sequences.smooth(DEPTHS), sequences.brownian(DEPTHS), strict=True)
    mixed = [NetworkWeights({"K": 100.0 * np.asarray(s.layers["K"]), "b": r.layers["b"]}) for s, r in pairs]
    assert classify(mixed).sequence_class is SequenceClass.ROUGH


def test_an_unscaled_penalty_is_flagged(unscaled: TrainedStudy) -> None:
    found = unscaled.diagnostics.classification
    assert found is not None
    assert found.sequence_class is SequenceClass.NO_LIMIT
    flag = evidence(found, "unscaled_penalty")
    assert flag.supports is SequenceClass.NO_LIMIT
    assert "'unscaled'" in flag.detail
    assert unscaled.diagnostics.depth_advice == []
    elsewhere = classify(weights_of(unscaled))
    assert elsewhere.sequence_class is SequenceClass.NO_LIMIT
    assert evidence(elsewhere, "unscaled_penalty").interval is not None


def test_the_scaled_penalty_is_not_flagged(study: TrainedStudy) -> None:
    found = study.diagnostics.classification
    assert found is not None
    assert all(row.name != "unscaled_penalty" for row in found.evidence)


def test_bounded_weights_need_not_converge() -> None:
    """Two smooth functions in turn."""
    networks = [sequences.smooth([n], seed)[0] for n, seed in zip((8, 16, 32, 64, 128, 256), (0, 50) * 3, strict=True)]
    found = classify(networks)
    assert found.sequence_class is not SequenceClass.H1_LIMIT
    assert evidence(found, "growth_R").supports is not SequenceClass.ROUGH


@pytest.mark.parametrize("depths", [(8,), (8, 16), (2, 3, 8, 16)])
def test_too_little_is_undecided(depths: tuple[int, ...]) -> None:
    found = classify(sequences.smooth(depths))
    assert found.sequence_class is SequenceClass.UNDECIDED
    assert evidence(found, "depths").supports is SequenceClass.UNDECIDED
    assert classify([]).sequence_class is SequenceClass.UNDECIDED


def test_three_single_networks_that_scatter_are_undecided() -> None:
    """Three depths are enough to try; one noisy network of each is not enough to tell, but by chance."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        networks = [NetworkWeights({"b": rng.normal(size=(n, 1)) * rng.lognormal(sigma=2.0)}) for n in (4, 6, 9)]
        found.append(classify(networks).sequence_class)
    assert found.count(SequenceClass.UNDECIDED) >= 18


def test_a_null_solution_is_constant_not_noise() -> None:
    """Below its threshold training leaves every layer at 0; what is left of it is optimisation error of any shape."""
    weights = Regularisation(alpha={"K": 1.0, "b": 0.05, "W": 0.1, "c": 1.0}, tau={"K": 2.0, "b": 2.0})
    problem = Problem([[0.0]], [[0.14]], activation="tanh", regularisation=weights)
    trained = train(problem, depths=DEPTHS, training=Training(1e-7, starts=2))
    found = trained.diagnostics.classification
    assert found is not None
    assert found.sequence_class is SequenceClass.CONSTANT_WEIGHTS
    assert "0 to the accuracy" in evidence(found, "null_solution").detail
    # The same numbers without what is known of their accuracy are just small weights.
    points = trained.study.verdict_branch.points.values()
    noise = [NetworkWeights({"b": 1e-7 * np.sin(np.arange(point.depth) / point.depth)}) for point in points]
    assert classify(noise).sequence_class is SequenceClass.H1_LIMIT


def test_depths_across_a_bifurcation_are_no_growth() -> None:
    """At n = 8 the null network is the minimum, from 16 on and in the limit a saddle: R_n does not grow from 0."""
    problem = bifurcating(0.159)
    assert critical(16) < 0.159 < critical(8)
    trained = train(problem, depths=DEPTHS, training=Training(1e-10, starts=1))
    assert trained.study.verdict_branch.left == [8]
    found = trained.diagnostics.classification
    assert found is not None
    assert evidence(found, "depths").value == len(DEPTHS) - 1
    assert found.sequence_class is not SequenceClass.NO_LIMIT
    assert trained.diagnostics.verdict.converges is not False


def test_points_that_are_no_minima_are_part_of_the_sequence() -> None:
    """Unrelated points of flat valleys, degenerate or saddles, at every depth: nothing is left out."""
    training = Training(1e-7, starts=1, depth_start=DepthStart.INDEPENDENT)
    study = train(sequences.odd_pair(Scaling.NONE), depths=DEEPER, continuum=None, training=training)
    kinds = {point.certificate.kind for point in study.study.verdict_branch.points.values() if point.certificate}
    assert Kind.STRICT_MINIMUM not in kinds
    found = study.diagnostics.classification
    assert found is not None
    assert evidence(found, "depths").value == len(DEEPER)
    assert found.sequence_class is SequenceClass.ROUGH


def test_a_checkpoint_is_asked_while_paths_are_compared() -> None:
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1

    classify([NetworkWeights({"b": np.sin(np.arange(n) / n)}) for n in (8, 300, 600)], checkpoint=checkpoint)
    assert calls == 1 + 2 + 3


def test_a_plain_residual_network_has_its_own_scale() -> None:
    """Weights A(t)/n without the factor 1/n of the scheme are the nodes of A."""
    networks = [
        NetworkWeights({name: np.asarray(value) / depth for name, value in network.layers.items()})
        for depth, network in zip(DEEPER, sequences.smooth(DEEPER), strict=True)
    ]
    found = classify(networks, residual_exponent=0.0)
    assert found.sequence_class is SequenceClass.H1_LIMIT
    assert evidence(found, "beta").value == pytest.approx(1.0, abs=0.1)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per layer"):
        classify([NetworkWeights({"K": np.ones((8, 2, 2)), "b": np.ones((9, 2))})])
    with pytest.raises(ValueError, match="finite"):
        classify([NetworkWeights({"K": np.full((8, 2, 2), np.nan)})])
    with pytest.raises(ValueError, match="same sizes"):
        classify([NetworkWeights({"K": np.ones((8, 2, 2))}), NetworkWeights({"K": np.ones((16, 3, 3))})])


def test_lifts_of_one_linear_function_are_a_known_distance_apart() -> None:
    """A(t) = t: the lifts differ beyond the coarser one's last node, where that is constant."""
    coarse, fine = Path(np.arange(4.0)[:, None] / 4), Path(np.arange(8.0)[:, None] / 8)
    h = 1.0 / 8.0
    assert distance(coarse, fine) == pytest.approx(math.sqrt(h**3 / 3.0 + h**3), rel=1e-12)
    assert distance(fine, fine) == 0.0


def test_smooth_initialisation_tends_to_a_neural_ode() -> None:
    """Marion et al. (2024): trained from a smooth initialisation, networks tend to a deep one like 1/n."""
    slope, found = trained_from(lambda n: sequences.smooth_path(n, (3, 3), 1))
    assert slope == pytest.approx(-1.0, abs=0.08)
    assert found.sequence_class is SequenceClass.H1_LIMIT


def test_independent_initialisation_does_not() -> None:
    """The control: layers drawn one by one stay rough, and the error falls like n^{−½} at best."""
    slope, found = trained_from(lambda n: np.random.default_rng(n).normal(size=(n, 3, 3)))
    assert slope > -0.8
    assert found.sequence_class is SequenceClass.ROUGH


def trained_from(initial: Callable[[int], sequences.Floats]) -> tuple[float, Classification]:
    """Return the slope of log error over log n against the deep reference, and the class of the trained weights."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(8, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    deep = 1024
    _, reference = sequences.gradient_flow(initial(deep), x, y)
    errors, networks = [], []
    for n in DEPTHS:
        K, states = sequences.gradient_flow(initial(n), x, y)
        networks.append(NetworkWeights({"K": K}))
        errors.append(float((states - reference[:: deep // n]).norm(dim=2).max()))
    return float(np.polyfit(np.log(DEPTHS), np.log(errors), 1)[0]), classify(networks)


def weights_of(study: TrainedStudy) -> list[NetworkWeights]:
    points = study.study.verdict_branch.points
    return [
        NetworkWeights({"K": point.parameters.K.numpy(), "b": point.parameters.b.numpy()})
        for _, point in sorted(points.items())
    ]
