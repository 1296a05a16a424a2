"""An independent reference for every regime: the objective from its definition, differentiated automatically."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from deeplimit.mathematics import Problem, Regime, Regularisation
from deeplimit.mathematics.model.residual_network import ResidualNetwork

ALPHA = {"K": 0.03, "b": 0.05, "W": 0.02, "c": 0.07}
TAU = {"K": 1.7, "b": 0.6}
TABLEAUX: dict[str, tuple[list[list[float]], list[float], list[float]]] = {
    "euler": ([[0.0]], [1.0], [0.0]),
    "midpoint": ([[0.0, 0.0], [0.5, 0.0]], [0.0, 1.0], [0.0, 0.5]),
    "rk4": (
        [[0.0] * 4, [0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        [1 / 6, 1 / 3, 1 / 3, 1 / 6],
        [0.0, 0.5, 0.5, 1.0],
    ),
    "implicit_euler": ([[1.0]], [1.0], [1.0]),
}


def example(regime: Regime, *, samples: int = 3, activation: str = "tanh") -> Problem:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(samples, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(samples, 2, generator=generator, dtype=torch.float64)
    return Problem(
        x.numpy(),
        y.numpy(),
        activation=activation,
        regularisation=Regularisation(ALPHA, TAU),
        regime=regime,
        state_dim=3,
    )


@dataclass
class Reference:
    """E of one regime at one depth, from coordinates, with nothing of ours but the order of the flat vector."""

    problem: Problem
    depth: int
    shapes: dict[str, tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        regime, d, m = self.problem.regime, self.problem.state_dim, self.problem.output_dim
        size = 1 if regime.weights == "constant" else self.depth
        self.shapes = {"K": (size, *self.problem.shapes["K"]), "b": (size, *self.problem.shapes["b"])}
        self.shapes |= {"W": (m, d), "c": (m,)}

    def objective(self, u: Tensor) -> Tensor:
        theta = self.nodes(u)
        final, integral = self.flow(theta["K"], theta["b"])
        terminal = (final @ theta["W"].T + theta["c"] - self.problem.y).square().sum() / len(final)
        total = terminal + self.problem.regime.running_cost * integral / len(final)
        for name in ("K", "b"):
            total = total + ALPHA[name] * self.regulariser(name, theta[name])
        return total + ALPHA["W"] * theta["W"].square().sum() + ALPHA["c"] * theta["c"].square().sum()

    def nodes(self, u: Tensor) -> dict[str, Tensor]:
        """The nodal values, by the documented coordinates."""
        regime, n = self.problem.regime, self.depth
        out: dict[str, Tensor] = {}
        start = 0
        for name, shape in self.shapes.items():
            count = torch.Size(shape).numel()
            part = u[start : start + count].reshape(shape)
            start += count
            if name in TAU:
                if regime.scaling in ("l2", "none"):
                    part = part * n**0.5
                elif regime.weights == "constant":
                    part = (part / (TAU[name] * regime.horizon) ** 0.5).expand(n, *shape[1:])
                else:
                    h1 = regime.scaling == "h1"
                    tau = TAU[name] * (regime.horizon if h1 else 1.0)
                    rows = [part[0] / tau**0.5]
                    for row in part[1:]:
                        rows.append(rows[-1] + row / (n**0.5 if h1 else 1.0))
                    part = torch.stack(rows)
            out[name] = part
        assert start == len(u)
        return out

    def regulariser(self, name: str, A: Tensor) -> Tensor:
        regime, n = self.problem.regime, self.depth
        increments, first = (A[1:] - A[:-1]).square().sum(), A[0].square().sum()
        return {
            "h1": n / regime.horizon * increments + TAU[name] * first,
            "unscaled": increments + TAU[name] * first,
            "l2": regime.horizon / n * A.square().sum(),
            "none": 0.0 * first,
        }[regime.scaling.value]

    def flow(self, K: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The last state, and the quadrature of Σ_s ‖X_s‖²."""
        a, weights, c = TABLEAUX[self.problem.regime.integrator.value]
        h = self.problem.regime.horizon / self.depth
        X, integral = self.problem.x, torch.zeros((), dtype=torch.float64)
        for i in range(self.depth):
            following = min(i + 1, self.depth - 1)
            read = [((1 - cj) * K[i] + cj * K[following], (1 - cj) * b[i] + cj * b[following]) for cj in c]
            k = [torch.zeros_like(X) for _ in c]
            # Fixed-point sweeps: exact after as many as there are explicit stages, and convergent for implicit Euler.
            for _ in range(60 if self.problem.regime.integrator == "implicit_euler" else len(c)):
                Y = [X + h * sum((aj * kl for aj, kl in zip(row, k, strict=True)), torch.zeros_like(X)) for row in a]
                k = [self.block(Kj, bj, Yj) for (Kj, bj), Yj in zip(read, Y, strict=True)]
            integral = integral + h * sum(
                (w * Yj.square().sum() for w, Yj in zip(weights, Y, strict=True)), torch.zeros(())
            )
            X = X + h * sum((w * kj for w, kj in zip(weights, k, strict=True)), torch.zeros_like(X))
        return X, integral

    def block(self, K: Tensor, b: Tensor, Y: Tensor) -> Tensor:
        if self.problem.regime.block == "single":
            return torch.tanh(Y @ K.T + b)
        width = len(b)
        V = K[width:].T
        return torch.tanh(Y @ K[:width].T + b) @ V.T


def network(regime: Regime, depth: int = 5) -> tuple[ResidualNetwork, Reference]:
    problem = example(regime)
    return ResidualNetwork(problem, depth), Reference(problem, depth)
