"""Limited-memory BFGS of many minimisations at once.

With R the upper triangle of SᵀY, the pairs in the order in which they came, and D its diagonal, the two-loop recursion
is two products with M = R⁻¹ between products with all pairs (Byrd, Nocedal and Schnabel 1994, *Representations of
quasi-Newton matrices and their use in limited memory methods*):

    α = M Sᵀg,   q = γ (g − Y α),   a = Mᵀ (D α − Yᵀq),   H g = q + S a.

Each is one call for all minimisations. R⁻¹ without the first row and column is the inverse of R without them, and a pair
more gives it the column −M (Sᵀy)/(sᵀy) above 1/(sᵀy). So pairs and M are kept in slots of which the newest pair takes
that of the oldest, and the order need not be known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.course import Heading
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian


class InverseHessians:
    """The inverse Hessians of some minimisations, a row of every array each.

    Slots that hold no pair have zeros in M, so that nothing comes of them.
    """

    def __init__(self, sets: int, like: Tensor, memory: int = MEMORY) -> None:
        self.memory = memory
        self.rows = [Row(self, index) for index in range(sets)]
        self._S = like.new_zeros((sets, memory, len(like)))
        self._Y = torch.zeros_like(self._S)
        self._M = like.new_zeros((sets, memory, memory))
        self._D = like.new_zeros((sets, 1, memory))
        self._scale = like.new_ones((sets, 1, 1))
        self._nothing = torch.zeros_like(like)
        self._noise = torch.finfo(like.dtype).eps

    def headings(self, rows: Sequence[Row], g: Sequence[Tensor]) -> list[Heading]:
        """Return −H g of some of the rows, with the pairs that they have been given, and the slopes along it."""
        nothing = self._nothing
        vectors = [nothing] * (3 * len(self.rows))
        waiting = [row for row in self.rows if row.pair is not None]
        for row in waiting:
            vectors[3 * row.index : 3 * row.index + 2] = row.pair or ()
        for row, vector in zip(rows, g, strict=True):
            vectors[3 * row.index + 2] = vector
        given = torch.stack(vectors).view(len(self.rows), 3, -1)
        taken = self._take_in(waiting, given) if waiting else None
        # Rows times matrices: in a batch, matrices times columns take several times as long.
        products = torch.bmm(given[:, 1:], self._S.transpose(1, 2))
        if taken is not None:
            self._invert(*taken, products[:, :1])
        weights = torch.bmm(products[:, 1:], self._M.transpose(1, 2))
        q = torch.baddbmm(given[:, 2:], weights, self._Y, alpha=-1.0).mul_(self._scale)
        weights = torch.bmm(weights.mul_(self._D).sub_(torch.bmm(q, self._Y.transpose(1, 2))), self._M)
        every = q.baddbmm_(weights, self._S).neg_()
        slopes: list[float] = (every * given[:, 2:]).sum((1, 2)).tolist()
        directions = every.squeeze(1).unbind(0)
        return [Heading(directions[row.index], slopes[row.index]) for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """Give up every other row."""
        index = torch.tensor([row.index for row in rows], device=self._S.device)
        self._S, self._Y, self._M = self._S[index], self._Y[index], self._M[index]
        self._D, self._scale = self._D[index], self._scale[index]
        self.rows = list(rows)
        for place, row in enumerate(self.rows):
            row.index = place

    def clear(self, row: Row) -> None:
        """Forget the pairs of a row."""
        self._M[row.index] = 0.0

    def alone(self, row: Row) -> InverseHessian:
        """Return the inverse Hessian of one row, with arrays of its own."""
        if row.pair is not None:
            self.headings([], [])
        kept = min(row.taken, self.memory)
        slots = [(row.taken - kept + age) % self.memory for age in range(kept)]
        return InverseHessian.of(self._S[row.index, slots], self._Y[row.index, slots], self.memory)

    def _take_in(self, waiting: Sequence[Row], given: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """Put the pairs into their slots, but for those whose curvature s·y is not safely positive.

        Returns
        -------
        (rows, slots, curvatures) or None
            Of the pairs that were taken in, if any was.
        """
        found: list[list[float]] = (given[:, :2] * given[:, 1:2]).sum(2).tolist()
        for row in waiting:
            row.pair = None
        good = [row for row in waiting if found[row.index][0] > self._noise * found[row.index][1]]
        if not good:
            return None
        places, slots = [row.index for row in good], [row.taken % self.memory for row in good]
        index, slot = torch.tensor([places, slots], device=given.device).unbind(0)
        self._S[index, slot], self._Y[index, slot] = given[index, :2].unbind(1)
        curvature, length = given.new_tensor([found[place] for place in places]).unbind(1)
        self._D[index, 0, slot] = curvature
        self._scale[index, 0, 0] = curvature / length
        for row in good:
            row.taken += 1
        return index, slot, curvature

    def _invert(self, index: Tensor, slot: Tensor, curvature: Tensor, products: Tensor) -> None:
        """Give M of some rows a column for the pair in a slot, from Sᵀy (B, 1, memory)."""
        self._M[index, slot] = 0.0
        self._M[index, :, slot] = 0.0
        self._M[index, slot, slot] = 1.0
        products[index, 0, slot] = -1.0
        column = torch.bmm(products, self._M.transpose(1, 2))[index, 0]
        self._M[index, :, slot] = column / -curvature.unsqueeze(1)


class Row:
    """The inverse Hessian of one of the minimisations; see `lbfgs.InverseHessian`.

    A pair waits until the next product, so that those of all rows are taken in at once.

    Attributes
    ----------
    taken
        Pairs that were taken in since the last were forgotten.
    pair
        The one that waits.
    """

    def __init__(self, every: InverseHessians, index: int) -> None:
        self.every, self.index = every, index
        self.taken = 0
        self.pair: tuple[Tensor, Tensor] | None = None

    @property
    def known(self) -> bool:
        """Whether any pair was taken in."""
        return self.taken > 0

    def update(self, s: Tensor, y: Tensor) -> None:
        """Take a pair in, at the next product."""
        self.pair = s, y

    def clear(self) -> None:
        """Forget every pair."""
        self.taken, self.pair = 0, None
        self.every.clear(self)

    def apply(self, g: Tensor) -> Tensor:
        """Return H g."""
        return -self.every.headings([self], [g])[0].direction

    def alone(self) -> InverseHessian:
        """Return an inverse Hessian of these pairs alone."""
        return self.every.alone(self)
