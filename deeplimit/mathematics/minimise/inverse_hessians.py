"""Limited-memory BFGS of many minimisations at once.

With R the upper triangle of SᵀY, the pairs in the order in which they came, and D its diagonal, the two-loop recursion
is two triangular solves between products with all pairs (Byrd, Nocedal and Schnabel 1994, *Representations of
quasi-Newton matrices and their use in limited memory methods*):

    α = R⁻¹ Sᵀg,   q = γ (g − Y α),   a = R⁻ᵀ (D α − Yᵀq),   H g = q + S a.

Each is one call for all minimisations.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian


class InverseHessians:
    """The inverse Hessians of some minimisations, a row of every array each.

    Pairs are kept in slots (B, memory, length), where the newest takes the place of the oldest. Slots that are not used
    yet hold zeros, and their rows of R are the identity's, so that nothing comes of them.
    """

    def __init__(self, sets: int, like: Tensor, memory: int = MEMORY) -> None:
        self.memory = memory
        self.rows = [Row(self, index) for index in range(sets)]
        self._S = like.new_zeros((sets, memory, len(like)))
        self._Y = torch.zeros_like(self._S)
        self._eye = torch.eye(memory, dtype=like.dtype, device=like.device)
        self._R = self._eye.repeat(sets, 1, 1)
        self._ages = torch.arange(memory, device=like.device)
        self._nothing = torch.zeros_like(like)
        self._noise = torch.finfo(like.dtype).eps

    def apply(self, rows: Sequence[Row], g: Sequence[Tensor]) -> list[Tensor]:
        """Return H g of some of the rows, with the pairs that they have been given."""
        given = [self._nothing] * len(self.rows)
        for row, vector in zip(rows, g, strict=True):
            given[row.index] = vector
        pairs = [row.pair or (self._nothing, self._nothing) for row in self.rows]
        s, y, G = torch.stack([*(s for s, _ in pairs), *(y for _, y in pairs), *given]).chunk(3)
        taken = self._take_in(s, y)
        order = (G.new_tensor([row.taken for row in self.rows], dtype=torch.long).unsqueeze(1) + self._ages) % self.memory
        weights = torch.bmm(torch.stack([y, G], 1), self._S.transpose(1, 2))
        weights = weights.gather(2, order.unsqueeze(1).expand(-1, 2, -1))
        self._lengthen(taken, weights[:, 0])
        scale = G.new_tensor([row.scale for row in self.rows]).unsqueeze(1)
        alpha = torch.linalg.solve_triangular(self._R, weights[:, 1].unsqueeze(2), upper=True).squeeze(2)
        q = torch.baddbmm(G.unsqueeze(1), _by_slot(alpha, order), self._Y, alpha=-1.0).mul_(scale.unsqueeze(2))
        right = self._R.diagonal(dim1=1, dim2=2) * alpha
        right -= torch.bmm(q, self._Y.transpose(1, 2)).squeeze(1).gather(1, order)
        a = torch.linalg.solve_triangular(self._R.transpose(1, 2), right.unsqueeze(2), upper=False).squeeze(2)
        every = torch.baddbmm(q, _by_slot(a, order), self._S).squeeze(1).unbind(0)
        return [every[row.index] for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """Give up every other row."""
        index = torch.tensor([row.index for row in rows], device=self._S.device)
        self._S, self._Y, self._R = self._S[index], self._Y[index], self._R[index]
        self.rows = list(rows)
        for place, row in enumerate(self.rows):
            row.index = place

    def clear(self, row: Row) -> None:
        """Forget the pairs of a row."""
        self._S[row.index], self._Y[row.index], self._R[row.index] = 0.0, 0.0, self._eye

    def alone(self, row: Row) -> InverseHessian:
        """Return the inverse Hessian of one row, with arrays of its own."""
        if row.pair is not None:
            self.apply([], [])
        kept = min(row.taken, self.memory)
        slots = (row.taken + self._ages[self.memory - kept :]) % self.memory
        return InverseHessian.of(self._S[row.index, slots], self._Y[row.index, slots], self.memory)

    def _take_in(self, s: Tensor, y: Tensor) -> list[int]:
        """Put the pairs into their slots, but for those whose curvature s·y is not safely positive; return whose."""
        waiting = [row for row in self.rows if row.pair is not None]
        if not waiting:
            return []
        curvatures, lengths = torch.stack([s * y, y * y]).sum(2).tolist()
        taken = [row for row in waiting if curvatures[row.index] > self._noise * lengths[row.index]]
        places = [row.index for row in taken]
        if taken:
            slots = [row.taken % self.memory for row in taken]
            index, slot = torch.tensor([places, slots], device=s.device).unbind(0)
            some = slice(None) if len(taken) == len(self.rows) else index
            self._S[index, slot], self._Y[index, slot] = s[some], y[some]
        for row in waiting:
            row.pair = None
        for row in taken:
            row.taken, row.scale = row.taken + 1, curvatures[row.index] / lengths[row.index]
        return places

    def _lengthen(self, places: list[int], products: Tensor) -> None:
        """Move R of some rows on by a pair, whose products with all S (B, memory) are its last column."""
        if not places:
            return
        some = slice(None) if len(places) == len(self.rows) else torch.tensor(places, device=products.device)
        before, R = self._R[some], torch.zeros_like(self._R[some])
        R[:, :-1, :-1], R[:, :, -1] = before[:, 1:, 1:], products[some]
        self._R[some] = R


def _by_slot(weights: Tensor, order: Tensor) -> Tensor:
    """Return weights (B, memory), the oldest first, by slot, (B, 1, memory)."""
    return torch.empty_like(weights).scatter_(1, order, weights).unsqueeze(1)


class Row:
    """The inverse Hessian of one of the minimisations; see `lbfgs.InverseHessian`.

    A pair waits until the next product, so that those of all rows are taken in at once.

    Attributes
    ----------
    taken
        Pairs that were taken in since the last were forgotten.
    scale
        s·y/y·y of the last one.
    pair
        The one that waits.
    """

    def __init__(self, every: InverseHessians, index: int) -> None:
        self.every, self.index = every, index
        self.taken, self.scale = 0, 1.0
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
        return self.every.apply([self], [g])[0]

    def alone(self) -> InverseHessian:
        """Return an inverse Hessian of these pairs alone."""
        return self.every.alone(self)
