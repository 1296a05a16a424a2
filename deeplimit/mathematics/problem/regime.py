"""Regimes to compare with: what may depart from the problem of Thorpe and van Gennip (2023), and what follows.

The default of every field is the paper's. A departure is never silent: ``departures`` puts it in words, and
``expected_orders`` and ``has_continuum`` tell the diagnostics what they may claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deeplimit.mathematics.kernels.tableau import EULER, IMPLICIT_EULER, MIDPOINT, RK4, Tableau


class Scaling(StrEnum):
    """The regulariser R_n(A) of A in {K, b}, over [0, T].

    ``h1``
        (n/T) Σ_{i≥1} ‖A_i − A_{i−1}‖² + τ‖A_0‖², the paper's: it tends to ∫‖A'‖² + τ‖A(0)‖².
    ``l2``
        Tikhonov's (T/n) Σ_i ‖A_i‖²; τ has no part in it. Its formal limit α ∫‖A‖² controls no derivative, weak limits
        in L² do not pass through σ, and so no continuum problem is claimed.
    ``unscaled``
        Σ_{i≥1} ‖A_i − A_{i−1}‖² + τ‖A_0‖², without n: of a function sampled at n nodes it is O(1/n), so that bounded
        minima allow n Σ‖A_i − A_{i−1}‖² to grow like n, and nothing is left in the limit that controls A'.
    ``none``
        0. W and c stay penalised. E is still bounded below, but minimisers need not exist, and if they do they need
        not be isolated: what a minimisation ends at depends on the start.
    """

    H1 = "h1"
    NONE = "none"
    L2 = "l2"
    UNSCALED = "unscaled"


class Weights(StrEnum):
    """Whether K and b vary over the layers, or are one K and one b for all (Avelin and Nyström 2021): R = τ‖A‖²."""

    VARYING = "varying"
    CONSTANT = "constant"


class Block(StrEnum):
    """The right-hand side: the paper's σ(K X + b), or V σ(K X + b), K (w, d), V (d, w), w the width."""

    SINGLE = "single"
    TWO_LAYER = "two_layer"


class Integrator(StrEnum):
    """How a network's layers integrate X' = σ(K(t) X + b(t)); stages read the lift of K and b."""

    EULER = "euler"
    MIDPOINT = "midpoint"
    RK4 = "rk4"
    IMPLICIT_EULER = "implicit_euler"

    @property
    def tableau(self) -> Tableau:
        """Coefficients of the method."""
        return _TABLEAUX[self]


_TABLEAUX: Final[Mapping[Integrator, Tableau]] = {
    Integrator.EULER: EULER,
    Integrator.MIDPOINT: MIDPOINT,
    Integrator.RK4: RK4,
    Integrator.IMPLICIT_EULER: IMPLICIT_EULER,
}


@dataclass(frozen=True)
class Regime:
    """Which problem is studied.

    Attributes
    ----------
    width
        w of two-layer blocks, None for d. V is regularised like K, with its weights, and kept with it: in every array
        K stands for the (2w, d) rows of K and Vᵀ, which only the kernel tells apart.
    horizon
        T > 0: X' = σ(K X + b) on [0, T], nodes t_i = iT/n, steps T/n. K and b are kept as functions of t/T in [0, 1].
    running_cost
        γ ≥ 0 of γ (1/S) Σ_s ∫₀ᵀ ‖X_s(t)‖² dt, integrated by the network's own scheme.

    Raises
    ------
    ValueError
        If a number is out of range, if constant weights come with another scaling than h1 (their regulariser τ‖A‖²
        knows no scaling), or a width with single blocks.
    """

    scaling: Scaling = Scaling.H1
    weights: Weights = Weights.VARYING
    integrator: Integrator = Integrator.EULER
    block: Block = Block.SINGLE
    width: int | None = None
    horizon: float = 1.0
    running_cost: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 < self.horizon < math.inf and 0.0 <= self.running_cost < math.inf):
            raise ValueError("the horizon must be positive, the running cost's weight not negative, both finite")
        if self.constant and self.scaling is not Scaling.H1:
            raise ValueError("constant weights have the regulariser τ‖A‖²: the scaling must be h1")
        if self.width is not None and (self.width < 1 or not self.two_layer):
            raise ValueError("a width is a positive number, for two-layer blocks")

    @property
    def constant(self) -> bool:
        """Whether one K and one b serve all layers."""
        return self.weights is Weights.CONSTANT

    @property
    def two_layer(self) -> bool:
        """Whether blocks are V σ(K X + b)."""
        return self.block is Block.TWO_LAYER

    @property
    def has_continuum(self) -> bool:
        """Whether there is a limit problem to train."""
        return self.scaling is Scaling.H1

    def weight(self, alpha: float) -> float:
        """Return the factor of ‖u‖² in the objective, u the increment coordinates of K or b on [0, 1].

        With s = t/T, (α/T)(∫‖dA/ds‖² ds + τT‖A(0)‖²) is α(∫‖A'‖² dt + τ‖A(0)‖²).
        """
        if self.scaling is Scaling.NONE:
            return 0.0
        return alpha * {Scaling.H1: 1.0 / self.horizon, Scaling.L2: self.horizon}.get(self.scaling, 1.0)

    def tau(self, tau: float) -> float:
        """Return the factor of ‖A(0)‖² beside ∫‖dA/ds‖² ds on [0, 1]."""
        return tau * self.horizon if self.scaling is Scaling.H1 else tau

    def expected_orders(self, *, smooth: bool = True, varying: bool = True) -> dict[str, float]:
        """Return the orders in 1/n that minima, minimisers and states should have; none without a limit problem.

        They are those of smooth minimisers with an integrator of order p, not a part of the theorem, which has no
        rates. Stages that read a piecewise-linear lift cannot beat order 2, and the step functions that TL² compares
        stay at order 1; weights that are constant in the layer have neither limit.

        Parameters
        ----------
        smooth
            Whether σ is smooth: a scheme steps across the kinks of another one, which holds it to order 2.
        varying
            Whether K or b is trained as a function of the layer.
        """
        if not self.has_continuum:
            return {}
        p = float(self.integrator.tableau.order)
        if not smooth:
            p = min(p, 2.0)
        if self.constant or not varying:
            return {"minima": p, "minimisers": p, "states": p}
        return {"minima": min(p, 2.0), "minimisers": 1.0, "states": min(p, 2.0)}

    def departures(self) -> list[tuple[str, str]]:
        """Return (name, words) of every departure from the paper's problem that its theorem does not cover."""
        departures = []
        if self.scaling is not Scaling.H1:
            departures.append(("regulariser_h1", f"{_SCALING_WORDS[self.scaling]}, so that no limit in H¹ is claimed"))
        if self.constant:
            words = "all layers have one K and b, whose limit is that of Avelin and Nyström (2021)"
            departures.append(("weights_vary", words))
        if self.two_layer:
            departures.append(("single_layer_blocks", "blocks are V σ(K X + b), not σ(K X + b)"))
        if self.integrator is not Integrator.EULER:
            words = f"layers are steps of {_INTEGRATOR_WORDS[self.integrator]}, not of forward Euler"
            departures.append(("layers_are_euler_steps", words))
        if self.running_cost:
            departures.append(
                ("terminal_loss_only", f"the objective has a running cost of weight {self.running_cost:g}")
            )
        return departures


_INTEGRATOR_WORDS: Final[Mapping[Integrator, str]] = {
    Integrator.EULER: "forward Euler",
    Integrator.MIDPOINT: "the midpoint rule",
    Integrator.RK4: "the classical Runge-Kutta method",
    Integrator.IMPLICIT_EULER: "implicit Euler",
}
_SCALING_WORDS: Final[Mapping[Scaling, str]] = {
    Scaling.NONE: "K and b are not regularised",
    Scaling.L2: "the regulariser is Tikhonov's, which controls no increments",
    Scaling.UNSCALED: "the penalty on increments is not scaled with n",
}
