"""What increment coordinates are worth: the same minimiser on one problem, in increments and in plain (K, b, W, c).

Run from the project's root:  .venv/bin/python -m benchmarks.coordinates
Counts, not seconds: evaluations of E with its gradient until E is within 1e-6 of the minimum.
"""

import torch
from sklearn.datasets import make_moons
from torch import Tensor

from deeplimit.mathematics.minimise import Budget, HistoryRow, minimise
from deeplimit.mathematics.model.objective import Evaluation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation

CLOSE = 1e-6
LIMIT = 2000


class Plain:
    """E as a function of (K, b, W, c) laid end to end; the gradient by the transpose of the inverse map."""

    def __init__(self, network: ResidualNetwork) -> None:
        self._network = network
        self.evaluations = 0

    def to_increments(self, flat: Tensor) -> Tensor:
        """Return the increment coordinates of plain parameters."""
        parts = self._network.coordinates.unpack(flat)
        increments, tau = self._network.layers, self._network.problem.regularisation.tau
        mixed = {k: increments.coordinates(v, tau[k]) if k in tau else v for k, v in parts.items()}
        return self._network.coordinates.pack(mixed)

    def evaluate(self, flat: Tensor) -> Evaluation:
        """Return E and its gradient in the plain parameters."""
        self.evaluations += 1
        found = self._network.evaluate(self.to_increments(flat))
        parts = self._network.coordinates.unpack(found.gradient)
        n, tau = self._network.depth, self._network.problem.regularisation.tau
        plain = {}
        for name, g in parts.items():
            plain[name] = g
            if name in tau:
                scaled = g * n**0.5
                scaled[0] = g[0] * tau[name] ** 0.5
                plain[name] = scaled - torch.cat([scaled[1:], torch.zeros_like(scaled[:1])])
        return Evaluation(found.objective, found.terms, self._network.coordinates.pack(plain))

    def linearise(self, flat: Tensor) -> object:
        """Refuse: the comparison is of quasi-Newton iterations."""
        raise NotImplementedError


def main() -> None:
    """Print evaluations by depth."""
    inputs, labels = make_moons(200, noise=0.1, random_state=0)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    weights = Regularisation(alpha=dict.fromkeys(("K", "b", "W", "c"), 1e-3))
    problem = Problem(inputs, labels, loss="cross_entropy", state_dim=4, regularisation=weights)
    for depth in (16, 32, 64):
        network = ResidualNetwork(problem, depth)
        start = network.random(torch.Generator().manual_seed(0), 0.5)
        best = minimise(network, start, Budget(1e-9, 20000))
        increments = next(r.iteration for r in best.history if r.objective <= best.objective + CLOSE)
        plain = Plain(network)
        parts = network.stage_parameters(start)
        rows: list[HistoryRow] = []
        flat = network.coordinates.pack({name: parts[name] for name in problem.trained})
        minimise(plain, flat, Budget(1e-9, LIMIT), rows.append)  # type: ignore[arg-type]  # has no Hessian on purpose
        lowest = min(row.objective for row in rows)
        reached = next((r.iteration for r in rows if r.objective <= best.objective + CLOSE), None)
        print(
            f"n = {depth:4d}: L-BFGS iterations to E + 1e-6: increments {increments},"
            f" plain {reached if reached is not None else f'not in {LIMIT}'}"
            f" (E {best.objective:.7f}, plain reached {lowest:.7f})"
        )


if __name__ == "__main__":
    main()
