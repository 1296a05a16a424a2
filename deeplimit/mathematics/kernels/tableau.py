"""Butcher tableaux: explicit Runge-Kutta methods, and implicit Euler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Tableau:
    """A Runge-Kutta method: Y_j = X + h Σ_l a_jl k_l, X⁺ = X + h Σ_j b_j k_j.

    Attributes
    ----------
    a
        One row a stage; for an explicit method strictly lower triangular, row j with j entries.
    b
        Weights of the stages.
    c
        Stage times in units of the step; rows of ``a`` sum to them.
    order
        Order of the global error in h on smooth right-hand sides.
    """

    name: str
    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    c: tuple[float, ...]

    @property
    def explicit(self) -> bool:
        """Whether every stage reads earlier stages only."""
        return all(len(row) <= stage for stage, row in enumerate(self.a))

    @property
    def stages(self) -> int:
        """Number of stages a step."""
        return len(self.b)

    def feeds(self, stage: int) -> tuple[tuple[int, float], ...]:
        """Return the (l, a_jl) ≠ 0 that build Y_j."""
        return tuple((index, weight) for index, weight in enumerate(self.a[stage]) if weight)

    def fed_by(self, stage: int) -> tuple[tuple[int, float], ...]:
        """Return the (l, a_lj) ≠ 0 through which stage j acts on later stages."""
        return tuple((later, row[stage]) for later, row in enumerate(self.a) if stage < later and row[stage])


EULER: Final = Tableau("euler", 1, ((),), (1.0,), (0.0,))
"""Forward Euler: with step 1/n, one residual layer."""

MIDPOINT: Final = Tableau("midpoint", 2, ((), (0.5,)), (0.0, 1.0), (0.0, 0.5))
"""The explicit midpoint rule (Runge 1895)."""

RK4: Final = Tableau(
    "rk4", 4, ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0, 0.5, 0.5, 1)
)
"""The classical method (Kutta 1901)."""

IMPLICIT_EULER: Final = Tableau("implicit_euler", 1, ((1.0,),), (1.0,), (1.0,))
"""Backward Euler: X⁺ = X + h σ(K X⁺ + b), with K and b at the end of the step."""
