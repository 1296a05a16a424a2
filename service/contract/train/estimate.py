"""What a train job will cost: the networks of every depth, their continuum, and the depth that may be sought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from service.contract.estimate import AtMost, Cost, Estimate, Sizes
from service.contract.request import Device
from service.contract.train.layer_cost import CONTINUUM_DEGREE, FLOPS_GRADIENT, LayerCost
from service.contract.train.memory import ModelSize, TrainMemory, padded
from service.contract.train.regimes import Block, DepthStart, Integrator, Weights
from service.contract.train.request import AUTO, Activation, Dtype, KernelChoice
from service.contract.values.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.contract.train.resolved import ResolvedTrainSpec
    from service.contract.values.limits import Limits

CONTINUUM_STEPS: Final = 64
EVALUATIONS: Final = 150
"""Evaluations of the gradient for one model: in increment coordinates the number hardly depends on depth."""
BRANCHES: Final = 4
"""Most that are carried from the coarsest depth."""
FORMS: Final = 10
"""Forms in which the samples are kept: as they came, scaled, split, as states and outputs, and what losses take."""
FINER: Final = 2
"""Times the continuum's steps that diagnostics follow it with."""
FUSED: Final = frozenset(Activation) - {Activation.GELU}
"""Activations that the fused kernel has a form of."""
MOST_FUSED_FEATURES: Final = 128
"""State dimension up to which it is taken unasked."""
SMOOTH: Final = frozenset(Activation) - {Activation.RELU, Activation.LEAKY_RELU}
"""Activations that are twice differentiable."""


@dataclass(frozen=True, slots=True)
class _Model:
    """A network or the continuum: layers or steps, their cost, layers' worth of parameters, and how often trained."""

    layers: int
    layer: LayerCost
    held: int
    trained: int
    continuum: bool = False


def estimate_train(
    spec: ResolvedTrainSpec, sizes: Sizes, limits: Limits, memory: TrainMemory | None = None
) -> Estimate:
    """Estimate the cost of a train job, whose `memory_of` its depths is worked out unless it is at hand.

    Where a depth is sought it is the cost of the networks that predict it, beside that of the deepest one that may come
    of it within the limits.
    """
    bound = None if spec.wanted is None else deepest_affordable(spec, sizes, limits)
    memory = memory or memory_of(spec, sizes, spec.depths)
    return Estimate(**vars(_cost(spec, sizes, spec.depths, memory)), at_most=bound)


def deepest_affordable(spec: ResolvedTrainSpec, sizes: Sizes, limits: Limits) -> AtMost:
    """Return the largest depth that a job may train at beside the networks that predict it, and what the job costs.

    The limits of depth, memory and work bound it, but it is at least the deepest of those networks, whatever they cost.
    """

    def cost(depth: int) -> tuple[Cost, TrainMemory]:
        depths = sorted({*spec.depths, depth})
        memory = memory_of(spec, sizes, depths)
        return _cost(spec, sizes, depths, memory), memory

    def fits(depth: int) -> bool:
        needed, memory = cost(depth)
        if needed.memory_bytes > limits.memory_bytes or needed.work_flops > limits.work_flops:
            return False
        allowed = spec.limits.memory_bytes
        return allowed is None or memory.least() <= allowed

    low, high = max(spec.depths), max(limits.depth, *spec.depths)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return AtMost(depth=low, **vars(cost(low)[0]))


def _cost(spec: ResolvedTrainSpec, sizes: Sizes, depths: Sequence[int], memory: TrainMemory) -> Cost:
    layer = LayerCost.of(spec.network)
    S, m = sizes.samples, sizes.outputs
    models = _models(spec, layer, depths)
    evaluations = min(spec.training.max_iterations, EVALUATIONS)
    per_sample = sum(
        model.trained * (model.layers * model.layer.gradient() + FLOPS_GRADIENT * m * layer.state_dim)
        for model in models
    )
    return Cost(
        parameters=max(size.vector for size in memory.models),
        memory_bytes=memory.estimate(memory.shares(spec.limits.memory_bytes)),
        work_flops=S * evaluations * per_sample,
    )


def memory_of(spec: ResolvedTrainSpec, sizes: Sizes, depths: Sequence[int]) -> TrainMemory:
    """Return what a job keeps in memory that trains networks of these depths."""
    network, layer, fixed = spec.network, LayerCost.of(spec.network), spec.network.fixed
    m, d = sizes.outputs, layer.state_dim
    per_layer = (layer.entries if fixed.K is None else 0) + (layer.width if fixed.b is None else 0)
    readout = (m * d if fixed.W is None else 0) + (m if fixed.c is None else 0)
    slope = network.integrator in {Integrator.EULER, Integrator.IMPLICIT_EULER}
    itemsize = 8 if spec.training.dtype is Dtype.FLOAT64 else 4
    starts = LIMITS.starts if spec.training.starts == AUTO else spec.training.starts
    return TrainMemory(
        models=[
            ModelSize.of(
                model.layer,
                model.layers,
                model.held * per_layer + readout,
                per_layer,
                adjoint=slope or model.continuum,
                finer=FINER if model.continuum else 1,
            )
            for model in _models(spec, layer, depths)
        ],
        samples=max(1, round(sizes.samples * (1.0 - spec.data.validation_fraction))),
        data=8 * FORMS * sizes.samples * (d + m),
        starts=starts,
        branches=min(starts, BRANCHES),
        itemsize=itemsize,
        widest=padded(layer.widest),
        smooth=network.activation in SMOOTH,
        continuum=spec.continuum is not None,
        fused=_fused(spec),
    )


def _fused(spec: ResolvedTrainSpec) -> bool:
    """Return whether the fused kernel is expected to serve: where it can, on a worker with a CPU that has Numba."""
    network, training = spec.network, spec.training
    if training.kernel is KernelChoice.TORCH or training.dtype is not Dtype.FLOAT64 or training.device is Device.CUDA:
        return False
    if network.activation not in FUSED or network.block is Block.TWO_LAYER:
        return False
    if network.integrator is Integrator.IMPLICIT_EULER and spec.depths:
        return False
    return training.kernel is KernelChoice.FUSED or network.state_dim <= MOST_FUSED_FEATURES


def _models(spec: ResolvedTrainSpec, layer: LayerCost, depths: Sequence[int]) -> list[_Model]:
    """Return what is trained: from all starts at the first depth or as the first continuum, else along the branches."""
    starts = LIMITS.starts if spec.training.starts == AUTO else spec.training.starts
    depth_start = spec.training.depth_start
    branches = min(starts, BRANCHES)
    constant = spec.network.weights is Weights.CONSTANT
    from_continuum = not depths or depth_start is DepthStart.RECOVERY
    models = []
    for index, depth in enumerate(depths):
        from_starts = depth_start is DepthStart.INDEPENDENT or (index == 0 and not from_continuum)
        models.append(_Model(depth, layer, 1 if constant else depth, starts if from_starts else branches))
    if spec.continuum is not None:
        held = 1 if constant else CONTINUUM_DEGREE + 1
        models.append(
            _Model(CONTINUUM_STEPS, layer.of_flow(), held, starts if from_continuum else branches, continuum=True)
        )
    return models
