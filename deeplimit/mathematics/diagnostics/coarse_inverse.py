"""Newton steps at any depth by the Hessians of two coarse ones.

In increment coordinates prolongation P from depth m to n is an isometry, the Hessian at n is 2α and a compact operator
that hardly depends on n, and what no coarse depth sees has a curvature near 2α. So

    H_n⁻¹ ≈ P H_m⁻¹ Pᵀ + (I − P Pᵀ)/2α,

where H_m⁻¹ is applied by a few conjugate gradients at depth m, which cost a part m/n of those at n (the coarse part of a
two-grid method: Hackbusch 1985, *Multi-grid methods and applications*, chapter 16, on equations of the second kind). It
errs by O(1/m), so that the steps of two coarse depths differ by about as much as the finer one is off when depths
double. The gradient after such a step would not tell: eigenvectors are O(1/m) off, and the little of a long step along
soft directions that goes along stiff ones has a large gradient.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.newton_cg import newton_direction
from deeplimit.mathematics.minimise.solution import HessianProducts
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong, restrict
from deeplimit.mathematics.study.branches import BranchPoint

FINER: Final = 4
"""Depths of so many times the layers of the finer coarse depth, at least, are served."""
_PRODUCTS: Final = 12
_RESIDUAL: Final = 2e-2
_ALIKE: Final = 0.5
"""Steps of two coarse depths that differ by more than this share of them are not used."""


class CoarseInverse:
    """The inverses that two coarse points, the finer one last, give to finer depths of the same branch."""

    def __init__(self, *points: BranchPoint) -> None:
        self._points = points
        self._hessians: dict[int, HessianProducts] = {}

    def serves(self, network: ResidualNetwork) -> bool:
        """Whether a depth is fine enough, and the regularisers have a curvature, for this to be worth it."""
        return network.depth >= FINER * self._points[-1].depth and network.problem.curvature_floor > 0.0

    def step(self, network: ResidualNetwork, gradient: Tensor, lower: float) -> tuple[Tensor, float] | None:
        """Return −H⁻¹ g (length,) and how far it may be off, or None where the coarse depths do not agree.

        Parameters
        ----------
        lower
            Bound of the least curvature.
        """
        steps, residual = list[Tensor](), 0.0
        for point in self._points:
            found = self._by(point, network, gradient)
            if found is None:
                return None
            steps.append(found[0])
            residual = found[1]
        apart = float(torch.linalg.vector_norm(steps[-1] - steps[0]))
        if not apart <= _ALIKE * float(torch.linalg.vector_norm(steps[-1])):
            return None
        return steps[-1], max(apart, residual / lower)

    def _by(self, point: BranchPoint, network: ResidualNetwork, gradient: Tensor) -> tuple[Tensor, float] | None:
        """Return the step of one coarse depth and the norm of the residual there."""
        coarse = point.network
        if point.depth not in self._hessians:
            self._hessians[point.depth] = coarse.linearise(point.solution.u)
        product = self._hessians[point.depth].hessian_product
        seen = coarse.encode(restrict(network.parameters(gradient), coarse.depth))
        newton = newton_direction(product, seen, limit=_PRODUCTS, residual=_RESIDUAL)
        if newton.negative_curvature or not bool(torch.isfinite(newton.direction).all()):
            return None
        unseen = network.encode(prolong(coarse.parameters(seen), network.depth)).sub_(gradient)
        for name, part in network.coordinates.unpack(unseen).items():
            part.div_(2.0 * network.problem.weight(name))
        step = unseen.add_(network.encode(prolong(coarse.parameters(newton.direction), network.depth)))
        return step, newton.residual
