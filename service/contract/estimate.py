"""What a job will cost, from its resolved specification alone: an order of magnitude, to refuse what cannot end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from service.contract.regimes import Block, DepthStart, Integrator, Weights
from service.contract.spec import Discrete, Dtype

if TYPE_CHECKING:
    from service.contract.limits import Limits
    from service.contract.resolved import ResolvedTrainSpec

CONTINUUM_DEGREE = 16
CONTINUUM_STEPS = 64
STAGES = 4
"""Of the classical Runge–Kutta method."""
EVALUATIONS = 150
"""Of the gradient, for one model: in increment coordinates the number hardly depends on depth."""
BRANCHES = 4
"""Carried from the coarsest depth at most."""
QUASI_NEWTON_MEMORY = 20
NEWTON_STEPS = 4
"""Linear systems a sample and layer of implicit Euler, forward and backward."""
FLOPS_PER_ENTRY = 6
"""A gradient multiplies by K forward, by Kᵀ backward, and forms the outer product: 2 each per entry and sample."""


class Estimate(BaseModel):
    """Cost of a job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: int = Field(description="Trained numbers of the largest model.")
    memory_bytes: int = Field(description="Of one gradient and the minimiser's memory on the largest model.")
    work_flops: float = Field(description="Expected floating-point operations of all models and branches.")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the problem: samples S and outputs m; the state dimension is in the specification."""

    samples: int
    outputs: int


def estimate(spec: ResolvedTrainSpec, sizes: Sizes) -> Estimate:
    """Estimate the cost of a job.

    Parameters
    ----------
    spec
        The resolved specification.
        With a wanted gap in the place of depths, only the networks that predict the depth are counted.
    sizes
        Samples and outputs, which for inline data only the body knows.

    Returns
    -------
    Estimate
        Parameters, memory in bytes, work in floating-point operations.
    """
    network = spec.network
    d, S, m = network.state_dim, sizes.samples, sizes.outputs
    fixed, w = network.fixed, network.width or network.state_dim
    entries = w * d * (2 if network.block is Block.TWO_LAYER else 1)
    per_layer = (entries if fixed.K is None else 0) + (w if fixed.b is None else 0)
    readout = (m * d if fixed.W is None else 0) + (m if fixed.c is None else 0)
    size = 8 if spec.training.dtype is Dtype.FLOAT64 else 4

    constant = network.weights is Weights.CONSTANT
    stages = network.integrator.stages

    # (layers evaluated, layers' worth of parameters, models trained) of each family of models
    branches = min(spec.training.starts, BRANCHES)
    independent = spec.training.depth_start is DepthStart.INDEPENDENT
    recovery = spec.training.depth_start is DepthStart.RECOVERY
    models = [
        (stages * depth, 1 if constant else depth, spec.training.starts if independent else branches)
        for depth in spec.depths
    ]
    if models and not recovery:
        models[0] = (models[0][0], models[0][1], spec.training.starts)
    if spec.continuum is not None:
        starts = branches if models and not recovery else spec.training.starts
        models.append((STAGES * CONTINUUM_STEPS, 1 if constant else CONTINUUM_DEGREE + 1, starts))

    parameters = max(layers * per_layer + readout for _, layers, _ in models)
    deepest = max(evaluated for evaluated, _, _ in models)
    states = (deepest + 1) * S * max(d, w)
    weights = deepest * (entries + w)
    implicit = network.integrator is Integrator.IMPLICIT_EULER
    systems = 3 * S * d * d if implicit else 0
    memory = size * (2 * states + 2 * weights + 2 * QUASI_NEWTON_MEMORY * parameters + systems)
    evaluations = min(spec.training.max_iterations, EVALUATIONS)
    per_sample = entries + (NEWTON_STEPS * d * d * d / FLOPS_PER_ENTRY if implicit else 0)
    work = sum(
        float(FLOPS_PER_ENTRY) * S * (evaluated * per_sample + m * d) * evaluations * trained
        for evaluated, _, trained in models
    )
    return Estimate(parameters=parameters, memory_bytes=memory, work_flops=work)


def deepest_affordable(spec: ResolvedTrainSpec, sizes: Sizes, limits: Limits) -> int:
    """Return the largest depth that a job with a wanted gap may train at beside the networks that predict it.

    Parameters
    ----------
    spec, sizes
        As for `estimate`.
    limits
        The published limits: of depth, memory and work.

    Returns
    -------
    int
        At least the deepest of those networks.
    """

    def fits(depth: int) -> bool:
        deeper = spec.model_copy(update={"discrete": Discrete(depths=[*spec.depths, depth])})
        cost = estimate(deeper, sizes)
        return cost.memory_bytes <= limits.memory_bytes and cost.work_flops <= limits.work_flops

    low, high = max(spec.depths), max(limits.depth, *spec.depths)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
