"""Regimes to compare with the paper's: their names in a specification, the rules between them are in `rules`."""

from __future__ import annotations

from enum import StrEnum


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


class Coarse(StrEnum):
    """How sharply the depths before the finest are minimised."""

    TOLERANCE = "tolerance"
    DISCRETISATION = "discretisation"


class DepthStart(StrEnum):
    """What the training of each depth starts from."""

    PROLONG = "prolong"
    INDEPENDENT = "independent"
    RECOVERY = "recovery"
