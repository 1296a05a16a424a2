"""Whether the depth that is advised is the smallest that meets a wanted error, by an independent minimiser.

Run from the project's root:  .venv/bin/python -m benchmarks.depth_advice
Random small nonlinear problems. E_n is written down from its definition and differentiated automatically, minimised by
scipy, and its limit and that of the predictions extrapolated from 32 to 256 layers; only the place to start from is the
study's. An advised depth n is right where n layers and the trained deeper ones meet the wanted error and n − 1 do not.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from deeplimit.mathematics import Problem, Regularisation, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.error_law import LEAST_DEPTH
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice, Quantity, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeplimit.mathematics.model.flow import ContinuumParameters

Floats = npt.NDArray[np.float64]
LIMIT_DEPTHS = (32, 64, 128, 256)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "sigmoid": torch.sigmoid,
}


@dataclass(frozen=True)
class Example:
    """A random problem with squared error, d states and outputs."""

    x: Floats
    y: Floats
    activation: str
    alpha: dict[str, float]

    @classmethod
    def draw(cls, seed: int) -> Example:
        """Return the problem of a seed."""
        rng = np.random.default_rng(seed)
        samples, d = int(rng.integers(2, 6)), int(rng.integers(1, 3))
        x, y = rng.normal(size=(samples, d)), rng.normal(size=(samples, d))
        alpha = {name: float(10.0 ** rng.uniform(-1.7, -0.7)) for name in "KbWc"}
        return cls(x, y, str(rng.choice(list(ACTIVATIONS))), alpha)

    @property
    def problem(self) -> Problem:
        """The same for the library."""
        return Problem(self.x, self.y, activation=self.activation, regularisation=Regularisation(self.alpha))


class Independent:
    """E_n and the predictions at its minimiser, from the definition."""

    def __init__(self, example: Example, limit: ContinuumParameters) -> None:
        self._example, self._limit = example, limit
        self._x, self._y = torch.tensor(example.x), torch.tensor(example.y)
        self._sigma = ACTIVATIONS[example.activation]
        self.at = cache(self._at)

    def deviations(self, depth: int, quantity: Quantity) -> Floats:
        """Return E_n* − E_∞* or what every prediction deviates from the limit by."""
        which = 0 if quantity is Quantity.GAP else 1
        return self.at(depth)[which] - self.limit(which)

    def size(self, depth: int, quantity: Quantity) -> float:
        """Return the largest deviation."""
        return float(np.abs(self.deviations(depth, quantity)).max())

    def limit(self, which: int) -> Floats:
        """Extrapolate from depths that double, with terms n⁻¹, n⁻² and n⁻³."""
        values = [self.at(depth)[which] for depth in LIMIT_DEPTHS]
        for power in (1, 2, 3):
            values = [(2**power * fine - coarse) / (2**power - 1) for coarse, fine in pairwise(values)]
        return values[0]

    def _at(self, depth: int) -> tuple[Floats, Floats]:
        u = self._start(depth)
        found = minimize(
            self._value,
            u,
            (depth,),
            "L-BFGS-B",
            jac=True,
            options={"maxcor": 40, "maxiter": 5000, "maxfun": 8000, "ftol": 0.0, "gtol": 1e-9},
        )
        u, gradient = found.x, found.jac
        hessian = LinearOperator((len(u), len(u)), lambda v: self._product(u, v, depth), dtype=np.float64)
        u = u + cg(hessian, -gradient, rtol=1e-3, maxiter=40)[0]
        value, _ = self._value(u, depth)
        with torch.no_grad():
            predictions = self._predictions(*self._parameters(torch.tensor(u), depth))
        return np.array([value]), predictions.numpy().ravel()

    def _start(self, depth: int) -> Floats:
        K, b = self._limit.sample(torch.arange(depth, dtype=torch.float64) / depth)
        parts = []
        for A in (K, b):
            increments = torch.cat([A[:1], (A[1:] - A[:-1]) * depth**0.5])
            parts.append(increments.reshape(-1))
        return torch.cat([*parts, self._limit.W.reshape(-1), self._limit.c.reshape(-1)]).numpy()

    def _parameters(self, u: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        d = self._x.shape[1]
        K, b, W, c = torch.split(u, [n * d * d, n * d, d * d, d])
        return self._layers(K.reshape(n, d, d)), self._layers(b.reshape(n, d)), W.reshape(d, d), c

    @staticmethod
    def _layers(increments: Tensor) -> Tensor:
        scaled = torch.cat([increments[:1], increments[1:] / len(increments) ** 0.5])
        return scaled.cumsum(0)

    def _predictions(self, K: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
        X = self._x
        for Ki, bi in zip(K, b, strict=True):
            X = X + self._sigma(X @ Ki.T + bi) / len(K)
        return X @ W.T + c

    def _objective(self, u: Tensor, n: int) -> Tensor:
        K, b, W, c = self._parameters(u, n)
        alpha = self._example.alpha
        terminal = (self._predictions(K, b, W, c) - self._y).square().sum() / len(self._x)
        total = terminal + alpha["W"] * W.square().sum() + alpha["c"] * c.square().sum()
        for name, A in (("K", K), ("b", b)):
            total = total + alpha[name] * (n * (A[1:] - A[:-1]).square().sum() + A[0].square().sum())
        return total

    def _value(self, u: Floats, n: int) -> tuple[float, Floats]:
        at = torch.tensor(u, requires_grad=True)
        value = self._objective(at, n)
        (gradient,) = torch.autograd.grad(value, at)
        return float(value.detach()), gradient.numpy()

    def _product(self, u: Floats, v: Floats, n: int) -> Floats:
        at = torch.tensor(u, requires_grad=True)
        (gradient,) = torch.autograd.grad(self._objective(at, n), at, create_graph=True)
        (product,) = torch.autograd.grad(gradient @ torch.tensor(np.ravel(v)), at)
        return product.numpy()


def judge(advice: DepthAdvice, wanted: Wanted, true: Independent) -> str:
    """Return ``right``, ``one off``, ``at most`` (the coarsest trained depth meets it), ``withheld`` or ``wrong``."""
    n = advice.depth
    if n is None:
        return "withheld"

    def met(depth: int) -> bool:
        return depth >= LEAST_DEPTH and true.size(depth, wanted.quantity) <= wanted.error

    if any(not met(depth) for depth in LIMIT_DEPTHS if depth > n):
        return "wrong"
    if not met(n):
        return "one off" if met(n + 1) else "wrong"
    if not met(n - 1):
        return "right"
    if advice.depth_interval is not None and advice.depth_interval[0] == LEAST_DEPTH:
        return "at most"
    return "wrong" if met(n - 2) else "one off"


def compare(seed: int) -> list[tuple[str, str]]:
    """Return what was advised for one problem and how it was judged: a search by turns, then a plain study's table."""
    rng, example = np.random.default_rng([seed, 1]), Example.draw(seed)
    plain = train(example.problem, (8, 16, 32))
    limit = plain.study.verdict_branch.continuum
    assert limit is not None  # noqa: S101 - it was asked for
    true, quantity = Independent(example, limit.parameters), list(Quantity)[seed % 2]
    wanted = Wanted(quantity, true.size(64, quantity) * 64.0 / float(np.exp(rng.uniform(np.log(4.0), np.log(300.0)))))
    found = train_for_error(example.problem, wanted).diagnostics.depth_advice[0]
    rows = [(f"search {quantity.words} {wanted.error:.2e}: {_told(found)}", judge(found, wanted, true))]
    for each in plain.diagnostics.depth_advice:
        if each.gap is not None and (each.depth or 0) <= LIMIT_DEPTHS[-1]:
            verdict = judge(each, Wanted(Quantity.GAP, each.gap), true)
            rows.append((f"8, 16, 32 gap {each.gap:.2e}: {_told(each)}", verdict))
    return rows


def _told(advice: DepthAdvice) -> str:
    return f"depth {advice.depth} in {advice.depth_interval} {advice.basis}{advice.withheld.get('depth', '')}"


def main() -> None:
    """Print every advice with its verdict, and how many there are of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=20)
    counts: Counter[str] = Counter()
    for seed in range(parser.parse_args().problems):
        for told, verdict in compare(seed):
            counts[verdict] += 1
            print(f"problem {seed:2d}, {told}: {verdict}", flush=True)
    print(", ".join(f"{verdict} {count}" for verdict, count in counts.most_common()))


if __name__ == "__main__":
    main()
