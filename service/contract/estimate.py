"""What a job will cost, from its resolved specification alone: an order of magnitude, to refuse what cannot end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from service.contract.spec import Dtype

if TYPE_CHECKING:
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
    sizes
        Samples and outputs, which for inline data only the body knows.

    Returns
    -------
    Estimate
        Parameters, memory in bytes, work in floating-point operations.
    """
    d, S, m = spec.network.state_dim, sizes.samples, sizes.outputs
    fixed = spec.network.fixed
    per_layer = (d * d if fixed.K is None else 0) + (d if fixed.b is None else 0)
    readout = (m * d if fixed.W is None else 0) + (m if fixed.c is None else 0)
    size = 8 if spec.training.dtype is Dtype.FLOAT64 else 4

    # (layers evaluated, layers' worth of parameters, models trained) of each family of models
    branches = min(spec.training.starts, BRANCHES)
    models = [(depth, depth, branches) for depth in spec.depths]
    if models:
        models[0] = (models[0][0], models[0][1], spec.training.starts)
    if spec.continuum is not None:
        starts = branches if models else spec.training.starts
        models.append((STAGES * CONTINUUM_STEPS, CONTINUUM_DEGREE + 1, starts))

    parameters = max(layers * per_layer + readout for _, layers, _ in models)
    deepest = max(evaluated for evaluated, _, _ in models)
    states = (deepest + 1) * S * d
    weights = deepest * (d * d + d)
    memory = size * (2 * states + 2 * weights + 2 * QUASI_NEWTON_MEMORY * parameters)
    evaluations = min(spec.training.max_iterations, EVALUATIONS)
    work = sum(
        float(FLOPS_PER_ENTRY) * S * (evaluated * d * d + m * d) * evaluations * trained
        for evaluated, _, trained in models
    )
    return Estimate(parameters=parameters, memory_bytes=memory, work_flops=work)
