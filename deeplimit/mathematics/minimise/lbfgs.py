"""Limited-memory BFGS (Nocedal 1980; Nocedal and Wright 2006, section 7.2), from nothing or from a nearby model's.

With R the upper triangle of SᵀY and D its diagonal, the two-loop recursion is two triangular solves between products
with all pairs at once:

    α = R⁻¹ Sᵀg,   q = H₀ (g − Y α),   γ = R⁻ᵀ (D α − Yᵀq),   H g = q + S γ,

which is the same arithmetic in a dozen calls instead of some for every pair.

Without a model nearby H₀ is the multiple of the identity that the last pair suggests. With one it is carried over
(carried_inverse.py), and what nothing is known of has the curvature of the regulariser alone, divided by a share c ≤ 1:
H₀ is affine in c, and the last pair says which c gives yᵀH₀y = sᵀy, as it says which multiple of the identity does.
"""

from __future__ import annotations

from copy import copy
from typing import Final, Protocol

import torch
from torch import Tensor

from deeplimit.mathematics.journal import Value

MEMORY: Final = 20
"""Pairs kept."""
_FIRST_ROOM: Final = 20
"""Pairs that room is made for at first; it doubles when it is used up."""
_OFF: Final = 2.0
"""A factor by which yᵀH₀y may be off sᵀy before the share is changed."""
_STEPS: Final = 10
"""Steps over which a carried H₀ is judged by the trials that their line searches took."""
_MOST_TRIALS: Final = 15
"""More trials in that many steps than these, and it is given up: with a good one nearly every first trial is taken."""
_LEAST_SHARE: Final = 3e-3
"""Digits has the smallest that was measured, 0.02 to 0.3."""


Point = tuple[Tensor, Tensor]
"""u, and the gradient there."""


class InitialInverse(Protocol):
    """An inverse Hessian H₀ that is known before any step, up to one number."""

    def apply(self, g: Tensor, share: float) -> Tensor:
        """Return H₀ g in a new tensor; affine in ``share``, which multiplies what only the regulariser says."""


class InverseHessian:
    """The limited-memory inverse Hessian, from the last pairs (s, y) of steps and gradient changes.

    Parameters
    ----------
    initial
        H₀; None for the multiple of the identity that the last pair suggests.

    Attributes
    ----------
    share
        c in (0, 1], of the directions that nothing is known of.
    """

    def __init__(self, memory: int = MEMORY, initial: InitialInverse | None = None) -> None:
        self.memory, self.initial = memory, initial
        self.share = 1.0
        self._trials: list[int] = []
        self._taken = 0
        self._scale = 1.0
        self._S = self._Y = torch.empty(0, 0)
        self._products = torch.empty(0, 0)
        self._R: tuple[int, Tensor, Tensor | None] | None = None

    @classmethod
    def of(cls, S: Tensor, Y: Tensor, memory: int = MEMORY) -> InverseHessian:
        """Return the inverse Hessian of at most ``memory`` pairs (pairs, length), the oldest first."""
        inverse = cls(memory)
        if len(S):
            inverse._S, inverse._Y, inverse._taken = S, Y, len(S)
            inverse._products = S @ Y.T
            inverse._scale = float(inverse._products[-1, -1] / (Y[-1] @ Y[-1]))
        return inverse

    def __len__(self) -> int:
        return min(self._taken, self.memory)

    @property
    def known(self) -> bool:
        """Whether anything is known of the Hessian, so that a step of length 1 is worth a trial."""
        return self._taken > 0 or self.initial is not None

    def learn(self, before: Point, after: Point) -> None:
        """Take in what a step from one point to another tells; see `update`."""
        self.update(after[0] - before[0], after[1] - before[1])

    def update(self, s: Tensor, y: Tensor) -> None:
        """Take a pair in, unless its curvature s·y is not safely positive; the oldest makes room."""
        curvature, length = torch.stack([s @ y, y @ y]).tolist()
        if not curvature > torch.finfo(s.dtype).eps * length:
            return
        if len(self) == len(self._S) < self.memory:
            self._make_room(s)
        slot = self._taken % self.memory
        self._S[slot], self._Y[slot] = s, y
        used = max(slot + 1, len(self))
        self._products[:used, slot] = self._S[:used] @ y
        self._taken += 1
        self._scale = curvature / length
        if self.initial is not None:
            self._fit_share(y, curvature)

    def took(self, trials: int) -> None:
        """Be told how many trials a step took; an H₀ of another model that does not serve is given up."""
        self._trials = [*self._trials[1 - _STEPS :], trials]
        if len(self._trials) == _STEPS and sum(self._trials) > _MOST_TRIALS:
            self.initial = None

    def alone(self) -> InverseHessian:
        """Return itself, without the room that no pair has taken; see ``Inverse``."""
        if len(self) < len(self._S):
            self._S, self._Y = self._S[: len(self)].clone(), self._Y[: len(self)].clone()
            self._products = self._products[: len(self), : len(self)].clone()
        return self

    def value(self) -> Value:
        """Return what was learnt, as a journal keeps it; whatever H₀ it began with is left out."""
        rows = slice(len(self))
        return {
            "S": self._S[rows],
            "Y": self._Y[rows],
            "products": self._products[rows, rows],
            "memory": self.memory,
            "taken": self._taken,
            "scale": self._scale,
            "share": self.share,
            "trials": self._trials,
            "on": self.initial is not None,
        }

    def restore(self, value: Value) -> None:
        """Take over what was learnt, on the H₀ that is there unless that had been given up."""
        self._S, self._Y, self._products, self._R = value["S"], value["Y"], value["products"], None
        self.memory, self._taken, self._scale = value["memory"], value["taken"], value["scale"]
        self.share, self._trials = value["share"], list(value["trials"])
        self.initial = self.initial if value["on"] else None

    def on(self, initial: InitialInverse) -> InverseHessian:
        """Return the same pairs on another H₀."""
        other = copy(self)
        other.initial = initial
        return other

    def clear(self) -> None:
        """Forget every pair, and what was known before any."""
        self._taken, self.initial, self._R = 0, None, None

    def apply(self, g: Tensor, share: float | None = None) -> Tensor:
        """Return H g, with the own share unless another is given."""
        share = self.share if share is None else share
        if not self._taken:
            return self._start(g, share)
        R, order = self._solved()
        S, Y = self._S[: len(self)], self._Y[: len(self)]
        seen = (S @ g)[:, None]
        alpha = torch.linalg.solve_triangular(R, seen if order is None else seen[order], upper=True)
        q = self._start(torch.addmv(g, Y.T, _placed(alpha, order), alpha=-1.0), share)
        seen = (Y @ q)[:, None]
        right = R.diagonal()[:, None] * alpha - (seen if order is None else seen[order])
        return q.addmv_(S.T, _placed(torch.linalg.solve_triangular(R.T, right, upper=False), order))

    def _solved(self) -> tuple[Tensor, Tensor | None]:
        """Return R, and the places of its pairs, the oldest first, where that is not how they lie."""
        if self._R is None or self._R[0] != self._taken:
            count, first = len(self), self._taken % self.memory if self._taken > self.memory else 0
            order = torch.arange(first, first + count, device=self._S.device) % count if first else None
            products = self._products[:count, :count]
            self._R = self._taken, (products if order is None else products[order[:, None], order]).triu(), order
        return self._R[1:]

    def _start(self, g: Tensor, share: float) -> Tensor:
        return g * self._scale if self.initial is None else self.initial.apply(g, share)

    def _fit_share(self, y: Tensor, curvature: float) -> None:
        """Choose the share by the last pair, where it is off by much: yᵀH₀y is a + b c."""
        assert self.initial is not None  # noqa: S101 - for the type checker: the caller asked
        now = float(y @ self.initial.apply(y, self.share))
        if 1.0 / _OFF < now / curvature < _OFF:
            return
        known = float(y @ self.initial.apply(y, 0.0))
        if now > known:
            self.share = min(1.0, max(_LEAST_SHARE, self.share * (curvature - known) / (now - known)))

    def _make_room(self, like: Tensor) -> None:
        room = min(self.memory, max(_FIRST_ROOM, 2 * len(self)))
        for name in ("_S", "_Y"):
            # Empty, so that the system gives memory only to rows that are written.
            grown = like.new_empty((room, len(like)))
            if len(self):
                grown[: len(self)] = getattr(self, name)[: len(self)]
            setattr(self, name, grown)
        products = like.new_zeros((room, room))
        products[: len(self), : len(self)] = self._products[: len(self), : len(self)]
        self._products = products


def _placed(ordered: Tensor, order: Tensor | None) -> Tensor:
    """Return a column (pairs, 1) by age as the row (pairs,) of where the pairs lie."""
    if order is None:
        return ordered[:, 0]
    placed = torch.empty_like(ordered[:, 0])
    placed[order] = ordered[:, 0]
    return placed
