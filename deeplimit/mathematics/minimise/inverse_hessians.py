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
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deeplimit.mathematics.journal import Value
from deeplimit.mathematics.minimise.course import Heading
from deeplimit.mathematics.minimise.lbfgs import MEMORY, InverseHessian, Point

_FIRST_ROOM: Final = 20
"""Pairs that room is made for at first."""
_ARRAYS: Final = ("_S", "_Y", "_M", "_D", "_scale")

Array = npt.NDArray[np.floating]


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
        sets, nothing = len(self.rows), self._like
        ends = [row.ends or (nothing,) * 4 for row in self.rows]
        asked = [nothing] * sets
        for row, vector in zip(rows, g, strict=True):
            asked[row.index] = vector
        given: Array = torch.stack([*chain(*zip(*ends, strict=True)), *asked]).cpu().numpy().reshape(5, sets, 1, -1)
        g_ = given[4]
        with np.errstate(all="ignore"):  # what is not finite is told by the slope
            if any(row.ends for row in self.rows):
                self._take_in(given[1:4:2] - given[:4:2])
            weights = (g_ @ self._S.transpose(0, 2, 1)) @ self._M.transpose(0, 2, 1)
            q = g_ - weights @ self._Y
            q *= self._scale
            weights *= self._D
            weights -= q @ self._Y.transpose(0, 2, 1)
            q += (weights @ self._M) @ self._S
            np.negative(q, q)
            slopes: list[float] = np.einsum("bkl,bkl->b", q, g_).tolist()
        directions = torch.from_numpy(q[:, 0]).to(nothing.device).unbind(0)
        return [Heading(directions[row.index], slopes[row.index]) for row in rows]

    def keep(self, rows: Sequence[Row]) -> None:
        """Give up every other row."""
        index = [row.index for row in rows]
        self._S, self._Y, self._M = self._S[index], self._Y[index], self._M[index]
        self._D, self._scale = self._D[index], self._scale[index]
        self._renumber(rows)

    def clear(self, row: Row) -> None:
        """Forget the pairs of a row."""
        self._M[row.index] = 0.0

    def alone(self, row: Row) -> InverseHessian:
        """Return the inverse Hessian of one row, with arrays of its own."""
        if row.ends is not None:
            self.headings([], [])
        kept = min(row.taken, self.memory)
        slots = [(row.taken - kept + age) % self.memory for age in range(kept)]
        S, Y = (torch.from_numpy(part[row.index, slots]).to(self._like) for part in (self._S, self._Y))
        return InverseHessian.of(S, Y, self.memory)

    def value(self, rows: Sequence[Row]) -> Value:
        """Return the arrays of some rows, as a journal keeps them; what a row knows beside them it tells itself."""
        index = [row.index for row in rows]
        whole = len(index) == len(self.rows)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {name: torch.from_numpy(array if whole else array[index]) for name, array in arrays.items()}

    def restore(self, value: Value, rows: Sequence[Row]) -> None:
        """Take over arrays, of these rows and no others."""
        for name in _ARRAYS:
            setattr(self, name, value[name].numpy())
        self._renumber(rows)

    def _renumber(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        for place, row in enumerate(self.rows):
            row.index = place

    def _take_in(self, pairs: Array) -> None:
        """Put pairs (2, B, 1, length) into their slots, but for those whose curvature s·y is not safely positive."""
        s, y = pairs
        curvatures, squares = np.einsum("pbkl,bkl->pb", pairs, y)
        index = np.flatnonzero(curvatures > self._noise * squares)  # a row without a pair has zeros
        for row in self.rows:
            row.ends = None
        taken = [self.rows[place] for place in index]
        if not taken:
            return
        if max(row.taken for row in taken) == self._S.shape[1] < self.memory:
            self._make_room()
        slot = np.array([row.taken % self.memory for row in taken])
        self._S[index, slot], self._Y[index, slot] = s[index, 0], y[index, 0]
        curvature = curvatures[index]
        self._D[index, 0, slot] = curvature
        self._scale[index, 0, 0] = curvature / squares[index]
        for row in taken:
            row.taken += 1
        products = y @ self._S.transpose(0, 2, 1)
        products[index, 0, slot] = 0.0
        self._M[index, slot] = 0.0
        column = products @ self._M.transpose(0, 2, 1)
        column[index, 0, slot] = -1.0
        self._M[index, :, slot] = column[index, 0] / -curvature[:, None]

    def _make_room(self) -> None:
        """Have twice as many slots, as far as the memory allows."""
        before = self._S.shape[1]
        more = min(self.memory, max(_FIRST_ROOM, 2 * before)) - before
        self._S, self._Y = (np.pad(part, ((0, 0), (0, more), (0, 0))) for part in (self._S, self._Y))
        self._M = np.pad(self._M, ((0, 0), (0, more), (0, more)))
        self._D = np.pad(self._D, ((0, 0), (0, 0), (0, more)))


class Row:
    """The inverse Hessian of one of the minimisations; see `lbfgs.InverseHessian`.

    A pair waits until the next product, so that those of all rows are taken in at once.

    Attributes
    ----------
    taken
        Pairs that were taken in since the last were forgotten.
    ends
        The pair that waits: u before and after its step, and the gradients there.
    """

    def __init__(self, every: InverseHessians, index: int) -> None:
        self.every, self.index = every, index
        self.taken = 0
        self.ends: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    @property
    def known(self) -> bool:
        """Whether any pair was taken in."""
        return self.taken > 0

    def learn(self, before: Point, after: Point) -> None:
        """Take a pair in, at the next product."""
        self.ends = before[0], after[0], before[1], after[1]

    def took(self, trials: int) -> None:
        """Do nothing: there is no H₀ of another model to give up."""

    def clear(self) -> None:
        """Forget every pair."""
        self.taken, self.ends = 0, None
        self.every.clear(self)

    def apply(self, g: Tensor) -> Tensor:
        """Return H g."""
        return -self.every.headings([self], [g])[0].direction

    def value(self) -> Value:
        """Return what is known beside the arrays of all, as a journal keeps it."""
        return {"taken": self.taken, "ends": None if self.ends is None else list(self.ends)}

    def restore(self, value: Value) -> None:
        """Take over what was known."""
        self.taken, self.ends = value["taken"], None if value["ends"] is None else tuple(value["ends"])

    def alone(self) -> InverseHessian:
        """Return an inverse Hessian of these pairs alone."""
        return self.every.alone(self)
