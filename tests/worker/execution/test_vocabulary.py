"""Words that stand on both sides of the boundary: the contract knows no mathematics, which knows no contract."""

from collections.abc import Iterable

import pytest

from deeplimit.mathematics import Block, Coarse, DepthStart, Follow, Integrator, Scaling, Weights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import SequenceClass
from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.minimise.certificate import Kind
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.problem.datasets import GENERATED, STORED
from deeplimit.mathematics.problem.terminal_loss import TERMINAL_LOSSES
from service.contract.data.sources import BuiltinName
from service.contract.train import certificates, regimes, request, results, sequence

PAIRS: list[tuple[Iterable[str], Iterable[str]]] = [
    (regimes.Scaling, Scaling),
    (regimes.Weights, Weights),
    (regimes.Integrator, Integrator),
    (regimes.Block, Block),
    (regimes.Follow, Follow),
    (regimes.Coarse, Coarse),
    (regimes.DepthStart, DepthStart),
    (request.Activation, ACTIVATIONS),
    (request.Loss, TERMINAL_LOSSES),
    (request.Output, [loss.output for loss in TERMINAL_LOSSES.values()]),
    (request.BasisChoice, ["auto", LegendreIncrements.family, PiecewiseLinearIncrements.family]),
    (results.SolutionStatus, Status),
    (certificates.CertificateKind, Kind),
    (sequence.SequenceClass, SequenceClass),
    (BuiltinName, [*GENERATED, *STORED]),
]


@pytest.mark.parametrize(("contract", "mathematics"), PAIRS, ids=lambda words: getattr(words, "__name__", ""))
def test_both_sides_have_the_same_words(contract: Iterable[str], mathematics: Iterable[str]) -> None:
    assert sorted(contract) == sorted(mathematics)


@pytest.mark.parametrize("integrator", Integrator)
def test_both_sides_count_the_same_stages(integrator: Integrator) -> None:
    assert regimes.Integrator(integrator.value).stages == integrator.tableau.stages
