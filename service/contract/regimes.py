"""Regimes to compare with the paper's: their names in a specification, and the rules between them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from service.contract.errors import FieldError

if TYPE_CHECKING:
    from service.contract.spec import TrainSpec


class Scaling(StrEnum):
    """The regulariser of K and b; only the first has a continuum problem."""

    H1 = "h1"
    NONE = "none"
    L2 = "l2"
    UNSCALED = "unscaled"


class Weights(StrEnum):
    """Whether K and b vary over the layers."""

    VARYING = "varying"
    CONSTANT = "constant"


class Integrator(StrEnum):
    """What one layer is a step of."""

    EULER = "euler"
    MIDPOINT = "midpoint"
    RK4 = "rk4"
    IMPLICIT_EULER = "implicit_euler"

    @property
    def stages(self) -> int:
        """Evaluations of the right-hand side in one layer."""
        return {Integrator.MIDPOINT: 2, Integrator.RK4: 4}.get(self, 1)


class Block(StrEnum):
    """The right-hand side: σ(K X + b), or V σ(K X + b)."""

    SINGLE = "single"
    TWO_LAYER = "two_layer"


class Follow(StrEnum):
    """Which of the distinct minima at the coarsest depth are followed to every depth."""

    BEST = "best"
    ALL = "all"


class DepthStart(StrEnum):
    """What the training of each depth starts from."""

    PROLONG = "prolong"
    INDEPENDENT = "independent"
    RECOVERY = "recovery"


def has_continuum(spec: TrainSpec) -> bool:
    """Whether the regime has a limit problem, so that ``continuum`` may be anything but null."""
    return spec.objective.scaling is Scaling.H1


def resolved_width(spec: TrainSpec, state_dim: int) -> int | None:
    """Return the width of two_layer blocks, d unless said, and nothing for single ones."""
    return (spec.network.width or state_dim) if spec.network.block is Block.TWO_LAYER else spec.network.width


def regime_errors(spec: TrainSpec) -> list[FieldError]:
    """Check the regime's fields against each other and the rest.

    Parameters
    ----------
    spec
        Well-formed field by field.

    Returns
    -------
    list[FieldError]
        One for each broken rule.
    """
    network, scaling = spec.network, spec.objective.scaling
    trains_continuum = spec.continuum is not None and has_continuum(spec)
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
            spec.training.depth_start is DepthStart.RECOVERY and not trains_continuum,
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
