"""Rules between the fields of a train specification that is well-formed field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract.request import Device
from service.contract.train.depths import Wanted, WantedPredictionError, depths_form
from service.contract.train.regimes import Block, DepthStart, Integrator, Scaling, Weights
from service.contract.train.request import Activation, Dtype, KernelChoice
from service.contract.values.errors import FieldError
from service.contract.values.limits import LEAST_POSITIVE_FLOAT32

if TYPE_CHECKING:
    from service.contract.train.request import TrainSpec


def has_continuum(spec: TrainSpec) -> bool:
    """Whether the regime has a limit problem, so that ``continuum`` may be anything but null."""
    return spec.objective.scaling is Scaling.H1


def _trains_continuum(spec: TrainSpec) -> bool:
    return spec.continuum is not None and has_continuum(spec)


def resolved_width(spec: TrainSpec, state_dim: int) -> int | None:
    """Return the width of two_layer blocks, d unless said, and nothing for single ones."""
    return (spec.network.width or state_dim) if spec.network.block is Block.TWO_LAYER else None


def rule_errors(spec: TrainSpec) -> list[FieldError]:
    """Check fields against each other that say enough without the data."""
    errors = _regime_errors(spec) + _wanted_errors(spec) + _precision_errors(spec) + _kernel_errors(spec)
    if spec.discrete is None and not _trains_continuum(spec):
        errors.append(FieldError("", "nothing_to_train", "discrete and continuum cannot both be null"))
    return errors


def _regime_errors(spec: TrainSpec) -> list[FieldError]:
    """Check the regime's fields against each other and the rest."""
    network, scaling = spec.network, spec.objective.scaling
    two_layer = network.block is Block.TWO_LAYER
    rules = (
        (
            not has_continuum(spec) and spec.continuum is not None and "continuum" in spec.model_fields_set,
            "/continuum",
            f"the scaling {scaling} has no continuum problem; leave it out or use null",
        ),
        (
            network.weights is Weights.CONSTANT and scaling is not Scaling.H1,
            "/objective/scaling",
            "constant weights have the regulariser τ‖A‖², which knows no scaling; use h1",
        ),
        (
            spec.training.depth_start is DepthStart.RECOVERY and not _trains_continuum(spec),
            "/training/depth_start",
            "the recovery sequence is sampled from a continuum model, which is not trained",
        ),
        (network.width is not None and not two_layer, "/network/width", "is the width of two_layer blocks"),
        (two_layer and network.fixed.K is not None, "/network/fixed/K", "two_layer blocks train K and V together"),
        (
            two_layer and network.integrator is Integrator.IMPLICIT_EULER,
            "/network/integrator",
            "implicit_euler is offered for single blocks",
        ),
    )
    return [FieldError(pointer, "not_applicable", detail) for broken, pointer, detail in rules if broken]


def _wanted_errors(spec: TrainSpec) -> list[FieldError]:
    """Check that there is a limit to be near to, where a gap is wanted, and a model of it for a prediction error."""
    wanted = spec.discrete.depths if spec.discrete is not None else None
    if not isinstance(wanted, Wanted):
        return []
    if not has_continuum(spec):
        detail = f"the scaling {spec.objective.scaling} has no continuum problem to be near to; give a list of depths"
    elif isinstance(wanted, WantedPredictionError) and spec.continuum is None:
        detail = "is a deviation from the continuum model, so that continuum cannot be null"
    else:
        return []
    return [FieldError(f"/discrete/depths/{depths_form(wanted)}", "not_applicable", detail)]


def _precision_errors(spec: TrainSpec) -> list[FieldError]:
    """Refuse weights that single precision would round, up to nothing at all."""
    if spec.training.dtype is not Dtype.FLOAT32:
        return []
    detail = f"must be at least {LEAST_POSITIVE_FLOAT32:.2g} in float32"
    return [
        FieldError(f"/objective/{part}/{name}", "too_small", detail)
        for part, weights in (("alpha", spec.objective.alpha), ("tau", spec.objective.tau))
        for name, weight in weights
        if weight < LEAST_POSITIVE_FLOAT32
    ]


def _kernel_errors(spec: TrainSpec) -> list[FieldError]:
    """Refuse the fused kernel where no worker can have it."""
    if spec.training.kernel is not KernelChoice.FUSED:
        return []
    network, training = spec.network, spec.training
    rules = (
        (network.block is Block.TWO_LAYER, "two_layer blocks"),
        (network.integrator is Integrator.IMPLICIT_EULER, "implicit_euler"),
        (network.activation is Activation.GELU, "gelu"),
        (training.dtype is Dtype.FLOAT32, "float32"),
        (training.device is Device.CUDA, "cuda"),
    )
    what = [name for broken, name in rules if broken]
    if not what:
        return []
    detail = f"fused does not offer {' or '.join(what)}; use auto or torch"
    return [FieldError("/training/kernel", "not_applicable", detail)]
