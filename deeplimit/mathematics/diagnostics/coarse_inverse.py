"""Newton steps at any depth without Hessian products there: two estimates, and how far they are apart.

One is by what the minimisation has learnt of the inverse Hessian. The other is by the Hessian of a coarse depth: in
increment coordinates prolongation P from depth m to n is an isometry, the Hessian at n is 2α and a compact operator
that hardly depends on n, and what no coarse depth sees has a curvature near 2α, so that

    H_n⁻¹ ≈ P H_m⁻¹ Pᵀ + (I − P Pᵀ)/2α,

where H_m⁻¹ is applied by a few conjugate gradients at depth m, which cost a part m/n of those at n (the coarse part of
a two-grid method: Hackbusch 1985, *Multi-grid methods and applications*, chapter 16, on equations of the second kind).
It errs by O(1/m); where minimising has taught nothing, a coarser depth still gives the other estimate. The gradient
after such a step would not tell: eigenvectors are O(1/m) off, and the little of a long step along soft directions that
goes along stiff ones has a large gradient.
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

FINER: Final = 2
"""Depths of so many times the layers of the coarse depth, at least, are served."""
_PRODUCTS: Final = 12
_RESIDUAL: Final = 2e-2


class CoarseInverse:
    """What two coarse points, the finer one last, tell of finer depths of the same branch."""

    def __init__(self, *points: BranchPoint) -> None:
        self._points = points
        self._hessians: dict[int, HessianProducts] = {}

    def serves(self, network: ResidualNetwork) -> bool:
        """Whether a depth is fine enough, and the regularisers have a curvature, for this to be worth it."""
        return network.depth >= FINER * self._points[-1].depth and network.problem.curvature_floor > 0.0

    def step(self, point: BranchPoint, lower: float) -> tuple[Tensor, float] | None:
        """Return −H⁻¹ g (length,) at a point and how far it may be off, or None where a Hessian is not positive.

        Parameters
        ----------
        lower
            Bound of the least curvature.
        """
        network, gradient, inverse = point.network, point.solution.evaluation.gradient, point.solution.inverse
        fine = self._by(self._points[-1], network, gradient)
        if fine is None:
            return None
        step, off = fine[0], fine[1] / lower
        if inverse is not None:
            learnt = inverse.apply(gradient).neg_()
            return learnt, max(off, float(torch.linalg.vector_norm(step - learnt)))
        coarse = self._by(self._points[0], network, gradient)
        if coarse is None:
            return None
        return step, max(off, float(torch.linalg.vector_norm(step - coarse[0])))

    def _by(self, point: BranchPoint, network: ResidualNetwork, gradient: Tensor) -> tuple[Tensor, float] | None:
        """Return the step of one coarse depth and the norm of the residual there."""
        coarse = point.network
        if point.depth not in self._hessians:
            self._hessians[point.depth] = coarse.linearise(point.solution.u)
        product = self._hessians[point.depth].hessian_product
        seen = coarse.encode(restrict(network.parameters(gradient), coarse.depth))
        known = point.solution.inverse
        precondition = None if known is None else known.apply
        newton = newton_direction(product, seen, limit=_PRODUCTS, residual=_RESIDUAL, precondition=precondition)
        if newton.negative_curvature or not bool(torch.isfinite(newton.direction).all()):
            return None
        unseen = network.encode(prolong(coarse.parameters(seen), network.depth)).sub_(gradient)
        for name, part in network.coordinates.unpack(unseen).items():
            part.div_(2.0 * network.problem.weight(name))
        step = unseen.add_(network.encode(prolong(coarse.parameters(newton.direction), network.depth)))
        return step, newton.residual
