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
        self._ages = torch.arange(1, memory + 1, device=like.device)
        self._order = (self._ages - 1).repeat(sets, 1)  # (B, memory): the slots, the oldest first
        self._scale = like.new_ones((sets, 1))
        self._nothing = torch.zeros_like(like)

    def apply(self, rows: Sequence[Row], g: Sequence[Tensor]) -> list[Tensor]:
        """Return H g of some of the rows, with the pairs that they have been given."""
        self._take_in([row for row in rows if row.pair is not None])
        G = self._by_row(rows, g)
        weights = self._products(self._S, G)
        weights = torch.linalg.solve_triangular(self._R, weights.unsqueeze(2), upper=True).squeeze(2)
        q = torch.baddbmm(G.unsqueeze(1), self._slots(weights), self._Y, alpha=-1.0).squeeze(1).mul_(self._scale)
        right = self._R.diagonal(dim1=1, dim2=2) * weights - self._products(self._Y, q)
        weights = torch.linalg.solve_triangular(self._R.transpose(1, 2), right.unsqueeze(2), upper=False).squeeze(2)
        every = torch.baddbmm(q.unsqueeze(1), self._slots(weights), self._S).squeeze(1).unbind(0)
        return [every[row.index] for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """Give up every other row."""
        index = torch.tensor([row.index for row in rows], device=self._S.device)
        self._S, self._Y, self._R = self._S[index], self._Y[index], self._R[index]
        self._order, self._scale = self._order[index], self._scale[index]
        self.rows = list(rows)
        for place, row in enumerate(self.rows):
            row.index = place

    def clear(self, row: Row) -> None:
        """Forget the pairs of a row."""
        self._S[row.index], self._Y[row.index], self._R[row.index] = 0.0, 0.0, self._eye

    def alone(self, row: Row) -> InverseHessian:
        """Return the inverse Hessian of one row, with arrays of its own."""
        if row.pair is not None:
            self._take_in([row])
        alone = InverseHessian(self.memory)
        for slot in self._order[row.index, self.memory - min(row.taken, self.memory) :].tolist():
            alone.update(self._S[row.index, slot], self._Y[row.index, slot])
        return alone

    def _take_in(self, rows: Sequence[Row]) -> None:
        """Take in the pairs that rows have been given, but for those whose curvature s·y is not safely positive."""
        if not rows:
            return
        s, y = (torch.stack([row.pair[part] for row in rows if row.pair is not None]) for part in (0, 1))
        curvatures: list[list[float]] = torch.stack([(s * y).sum(1), y.square().sum(1)], 1).tolist()
        noise = torch.finfo(s.dtype).eps
        good = [place for place, (curvature, length) in enumerate(curvatures) if curvature > noise * length]
        for row in rows:
            row.pair = None
        if not good:
            return
        if len(good) < len(rows):
            s, y, rows = s[good], y[good], [rows[place] for place in good]
        index = torch.tensor([row.index for row in rows], device=s.device)
        slots = torch.tensor([row.taken % self.memory for row in rows], device=s.device)
        self._S[index, slots], self._Y[index, slots] = s, y
        self._order[index] = (slots.unsqueeze(1) + self._ages) % self.memory
        self._scale[index, 0] = s.new_tensor([curvatures[place][0] / curvatures[place][1] for place in good])
        R = torch.zeros_like(self._R[index])
        R[:, :-1, :-1] = self._R[index, 1:, 1:]
        R[:, :, -1] = self._products(self._S, self._by_row(rows, y.unbind(0)))[index]
        self._R[index] = R
        for row in rows:
            row.taken += 1

    def _products(self, pairs: Tensor, g: Tensor) -> Tensor:
        """Return the products of every row's S or Y with its g (B, length), the oldest first, (B, memory)."""
        # A row times a matrix: a matrix times a column takes several times as long in a batch.
        return torch.bmm(g.unsqueeze(1), pairs.transpose(1, 2)).squeeze(1).gather(1, self._order)

    def _slots(self, weights: Tensor) -> Tensor:
        """Return weights (B, memory), the oldest first, by slot, (B, 1, memory)."""
        return torch.empty_like(weights).scatter_(1, self._order, weights).unsqueeze(1)

    def _by_row(self, rows: Sequence[Row], vectors: Sequence[Tensor]) -> Tensor:
        """Return (B, length) with the vectors in the places of their rows, and zeros elsewhere."""
        every = [self._nothing] * len(self.rows)
        for row, vector in zip(rows, vectors, strict=True):
            every[row.index] = vector
        return torch.stack(every)


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
        return self.every.apply([self], [g])[0]

    def alone(self) -> InverseHessian:
        """Return an inverse Hessian of these pairs alone."""
        return self.every.alone(self)
