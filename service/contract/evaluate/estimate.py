"""What an evaluation will cost, and how many numbers it gives out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.contract.estimate import Estimate, Sizes
from service.contract.evaluate.request import STATE_STEPS, OutputKind
from service.contract.model_name import ModelName
from service.contract.train.layer_cost import CONTINUUM_DEGREE, FLOPS_FORWARD, LayerCost
from service.contract.train.memory import PROCESS
from service.contract.train.regimes import Block, Integrator, Weights

if TYPE_CHECKING:
    from service.contract.evaluate.resolved import ResolvedEvaluateSpec

CONTINUUM_STEPS: Final = 256
"""More than in training: a flow is evaluated until its steps no longer show."""
SOLVER_SAMPLES: Final = 1000
"""The table of solvers is made on so many at most."""
REFERENCE_STEPS: Final = 100
"""Steps of the Dormand–Prince method of order 8; for the lift of a network at least one in every layer."""
REFERENCE_STAGES: Final = 14
"""Evaluations of the right-hand side for one such step and the choice of its size."""
CHUNKS: Final = 8
"""States that are kept at once for a sample, as long as nobody asks for all."""
BYTES: Final = 8
FORWARD: Final = 32 * 2**20
"""Bytes of the trajectory that is kept at once where nothing comes back from its end."""


def largest_output(spec: ResolvedEvaluateSpec, sizes: Sizes) -> int:
    """Count the largest array that is given out: all states of the deepest model if asked for, else predictions."""
    if OutputKind.STATES not in spec.outputs:
        return sizes.samples * sizes.outputs
    kept = max((STATE_STEPS if depth is None else depth) + 1 for depth in _depths(spec))
    return kept * sizes.samples * spec.trained.network.state_dim


def estimate_evaluate(spec: ResolvedEvaluateSpec, sizes: Sizes) -> Estimate:
    """Estimate the cost of an evaluation of so many samples and outputs."""
    network, layer = spec.trained.network, LayerCost.of(spec.trained.network)
    d, m = network.state_dim, sizes.outputs
    constant = network.weights is Weights.CONSTANT
    readout = FLOPS_FORWARD * m * d
    passes = 1 + (OutputKind.STATES in spec.outputs)
    if OutputKind.ROBUSTNESS in spec.outputs:
        passes += len(spec.noise.levels) * spec.noise.repeats
    parameters, stages, work = 0, 0, 0.0
    for depth in _depths(spec):
        steps, each = (CONTINUUM_STEPS, layer.of_flow()) if depth is None else (depth, layer)
        held = 1 if constant else CONTINUUM_DEGREE + 1 if depth is None else depth
        parameters = max(parameters, held * layer.numbers + m * (d + 1))
        stages = max(stages, steps * each.stages)
        work += sizes.samples * passes * (steps * each.forward() + readout)
        if OutputKind.SOLVERS in spec.outputs:
            work += min(sizes.samples, SOLVER_SAMPLES) * _solvers(spec, depth)
    kept = max(largest_output(spec, sizes), CHUNKS * sizes.samples * layer.widest)
    return Estimate(
        parameters=parameters,
        memory_bytes=PROCESS
        + BYTES * 2 * (stages * layer.numbers + m * (d + 1) + kept)
        + min(FORWARD, BYTES * 3 * sizes.samples * stages * layer.widest),
        work_flops=work,
    )


def _depths(spec: ResolvedEvaluateSpec) -> list[int | None]:
    return [*(ModelName.parse(model).depth for model in spec.models), *spec.depths]


def _solvers(spec: ResolvedEvaluateSpec, depth: int | None) -> float:
    """Return the operations of one sample and model: every solver with every number of steps, and the reference."""
    network = spec.trained.network
    layers = [
        LayerCost.of(network.model_copy(update={"integrator": integrator}))
        for integrator in Integrator
        if network.block is Block.SINGLE or integrator is not Integrator.IMPLICIT_EULER
    ]
    table = sum(spec.solvers.steps) * sum(layer.forward() for layer in layers)
    reference = max(REFERENCE_STEPS, depth or 0) * REFERENCE_STAGES
    return table + reference * FLOPS_FORWARD * layers[0].entries
