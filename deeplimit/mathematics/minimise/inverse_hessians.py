"""Limited-memory BFGS of many minimisations at once.

With R the upper triangle of SᵀY, the pairs in the order in which they came, and D its diagonal, the two-loop recursion
is two products with M = R⁻¹ between products with all pairs (Byrd, Nocedal and Schnabel 1994, *Representations of
quasi-Newton matrices and their use in limited memory methods*):

    α = M Sᵀg,   q = γ (g − Y α),   a = Mᵀ (D α − Yᵀq),   H g = q + S a.

Each is one call for all minimisations. R⁻¹ without the first row and column is the inverse of R without them, and a
pair more gives it the column −M (Sᵀy)/(sᵀy) above 1/(sᵀy). So pairs and M are kept in slots of which the newest pair
takes that of the oldest, and the order need not be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deeplimit.mathematics.minimise.course import Heading
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian

_FIRST_ROOM: Final = 20
"""Pairs that room is made for at first."""

Array = npt.NDArray[np.floating]
Places = npt.NDArray[np.intp]


class InverseHessians:
    """The inverse Hessians of some minimisations, a row of every array each.

    The arrays are numpy's, whose calls on small ones are cheaper than torch's: some thirty make a direction. Slots that
    hold no pair have zeros in M, so that nothing comes of them; there are as many as the row with the most pairs needs.
    """

    def __init__(self, sets: int, like: Tensor, memory: int = MEMORY) -> None:
        self.memory = memory
        self.rows = [Row(self, index) for index in range(sets)]
        self._like = torch.zeros_like(like)
        kind = self._like.cpu().numpy().dtype
        self._S: Array = np.zeros((sets, 0, len(like)), kind)
        self._Y = self._S
        self._M: Array = np.zeros((sets, 0, 0), kind)
        self._D: Array = np.zeros((sets, 1, 0), kind)
        self._make_room()
        self._scale: Array = np.ones((sets, 1, 1), kind)
        self._noise = torch.finfo(like.dtype).eps

    def headings(self, rows: Sequence[Row], g: Sequence[Tensor]) -> list[Heading]:
        """Return −H g of some of the rows, with the pairs that they have been given, and the slopes along it."""
        vectors = [self._like] * (3 * len(self.rows))
        waiting = [row for row in self.rows if row.pair is not None]
        for row in waiting:
            vectors[3 * row.index : 3 * row.index + 2] = row.pair or ()
        for row, vector in zip(rows, g, strict=True):
            vectors[3 * row.index + 2] = vector
        given: Array = torch.stack(vectors).cpu().numpy().reshape(len(self.rows), 3, -1)
        with np.errstate(all="ignore"):  # what is not finite is told by the slope
            taken = self._take_in(waiting, given) if waiting else None
            products = given[:, 1:] @ self._S.transpose(0, 2, 1)
            if taken is not None:
                self._invert(*taken, products[:, :1])
            weights = products[:, 1:] @ self._M.transpose(0, 2, 1)
            q = given[:, 2:] - weights @ self._Y
            q *= self._scale
            weights *= self._D
            weights -= q @ self._Y.transpose(0, 2, 1)
            q += (weights @ self._M) @ self._S
            np.negative(q, q)
            slopes: list[float] = (q * given[:, 2:]).sum((1, 2)).tolist()
        directions = torch.from_numpy(q[:, 0]).to(self._like.device).unbind(0)
        return [Heading(directions[row.index], slopes[row.index]) for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """Give up every other row."""
        index = [row.index for row in rows]
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
        S, Y = (torch.from_numpy(part[row.index, slots]).to(self._like) for part in (self._S, self._Y))
        return InverseHessian.of(S, Y, self.memory)

    def _take_in(self, waiting: Sequence[Row], given: Array) -> tuple[Places, Places, Array] | None:
        """Put the pairs into their slots, but for those whose curvature s·y is not safely positive.

        Returns
        -------
        (rows, slots, curvatures) or None
            Of the pairs that were taken in, if any was.
        """
        found = (given[:, :2] @ given[:, 1, :, None])[:, :, 0]
        good = found[:, 0] > self._noise * found[:, 1]
        taken = [row for row in waiting if good[row.index]]
        for row in waiting:
            row.pair = None
        if not taken:
            return None
        if max(row.taken for row in taken) == self._S.shape[1] < self.memory:
            self._make_room()
        index, slot = np.array([(row.index, row.taken % self.memory) for row in taken]).T
        self._S[index, slot], self._Y[index, slot] = given[index, 0], given[index, 1]
        curvature = found[index, 0]
        self._D[index, 0, slot] = curvature
        self._scale[index, 0, 0] = curvature / found[index, 1]
        for row in taken:
            row.taken += 1
        return index, slot, curvature

    def _make_room(self) -> None:
        """Have twice as many slots, as far as the memory allows."""
        before = self._S.shape[1]
        more = min(self.memory, max(_FIRST_ROOM, 2 * before)) - before
        self._S, self._Y = (np.pad(part, ((0, 0), (0, more), (0, 0))) for part in (self._S, self._Y))
        self._M = np.pad(self._M, ((0, 0), (0, more), (0, more)))
        self._D = np.pad(self._D, ((0, 0), (0, 0), (0, more)))

    def _invert(self, index: Places, slot: Places, curvature: Array, products: Array) -> None:
        """Give M of some rows a column for the pair in a slot, from Sᵀy (B, 1, memory)."""
        self._M[index, slot] = 0.0
        self._M[index, :, slot] = 0.0
        self._M[index, slot, slot] = 1.0
        products[index, 0, slot] = -1.0
        column = (products @ self._M.transpose(0, 2, 1))[index, 0]
        self._M[index, :, slot] = column / -curvature[:, None]


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

    def took(self, trials: int) -> None:
        """Do nothing: there is no H₀ of another model to give up."""

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
