"""An approximate inverse of the Hessian at any depth from that of a coarse one.

In increment coordinates prolongation P from depth m to n is an isometry, the Hessian at n is 2α and a compact operator
that hardly depends on n, and what no coarse depth sees has a curvature near 2α. So

    H_n⁻¹ ≈ P H_m⁻¹ Pᵀ + (I − P Pᵀ)/2α,

where H_m⁻¹ is applied by a few conjugate gradients at depth m, which cost a part m/n of those at n (a two-grid
correction: Hackbusch 1985, *Multi-grid methods and applications*, chapter 16, on equations of the second kind, where it
contracts like O(1/m) without any smoothing).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.newton_cg import newton_direction
from deeplimit.mathematics.model.objective import Linearisation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong, restrict
from deeplimit.mathematics.study.branches import BranchPoint

FINER: Final = 4
"""Depths of so many times the layers, at least, are served."""
_PRODUCTS: Final = 12
_RESIDUAL: Final = 2e-2
_TELL: Final = 2
"""Depths at which what a step leaves is looked at."""


class CoarseInverse:
    """The inverse that a coarse depth's point gives to finer depths of the same branch.

    Attributes
    ----------
    contraction
        The largest share of a gradient that was left where that was looked at.
    """

    def __init__(self, point: BranchPoint) -> None:
        self.point = point
        self.contraction = 0.0
        self._looked_at = 0
        self._hessian: Linearisation | None = None

    def serves(self, network: ResidualNetwork) -> bool:
        """Whether a depth is fine enough, and the regularisers have a curvature, for this to be worth it."""
        return network.depth >= FINER * self.point.depth and network.problem.curvature_floor > 0.0

    def step(self, network: ResidualNetwork, gradient: Tensor) -> Tensor | None:
        """Return −H⁻¹ g (length,), approximately, or None where the coarse Hessian is not positive."""
        coarse = self.point.network
        if self._hessian is None:
            self._hessian = coarse.linearise(self.point.solution.u)
        seen = coarse.encode(restrict(network.parameters(gradient), coarse.depth))
        newton = newton_direction(self._hessian.hessian_product, seen, limit=_PRODUCTS, residual=_RESIDUAL)
        if newton.negative_curvature or not bool(torch.isfinite(newton.direction).all()):
            return None
        unseen = network.encode(prolong(coarse.parameters(seen), network.depth)).sub_(gradient)
        for name, part in network.coordinates.unpack(unseen).items():
            part.div_(2.0 * network.problem.weight(name))
        return unseen.add_(network.encode(prolong(coarse.parameters(newton.direction), network.depth)))

    def looked_at(self, share: float) -> None:
        """Note what share of a gradient a step has left."""
        self.contraction = max(share, self.contraction)
        self._looked_at += 1

    @property
    def told(self) -> bool:
        """Whether two depths have told what a step leaves; finer ones differ from them by less than they do."""
        return self._looked_at >= _TELL
