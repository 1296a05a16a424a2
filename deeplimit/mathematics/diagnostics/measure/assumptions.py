"""The assumptions of the theorem (Thorpe and van Gennip 2023, theorem 2.1), checked on one problem."""

from __future__ import annotations

from dataclasses import dataclass

from deeplimit.mathematics.problem.learning_problem import Problem


@dataclass(frozen=True)
class Assumption:
    """One assumption, whether it holds, and why."""

    name: str
    holds: bool
    detail: str


def check_assumptions(problem: Problem) -> list[Assumption]:
    """Return every assumption of the theorem for this problem; what its regime leaves of the paper's problem fails."""
    sigma, weights = problem.activation, problem.regularisation
    smallest = min(weights.alpha[name] for name in problem.trained)
    taus = [weights.tau[name] for name in ("K", "b") if name in problem.trained]
    at_zero = f"{sigma.name} has σ(0) {'=' if sigma.vanishes_at_zero else '≠'} 0"
    return [
        Assumption("sigma_lipschitz", holds=True, detail=f"{sigma.name} is Lipschitz continuous"),
        Assumption("sigma_vanishes_at_zero", holds=sigma.vanishes_at_zero, detail=at_zero),
        Assumption(
            "loss_continuous_nonnegative", holds=True, detail=f"{problem.loss.name} is continuous and never negative"
        ),
        Assumption(
            "alpha_positive",
            holds=smallest > 0.0,
            detail=f"the smallest α of a trained parameter is {smallest:g}",
        ),
        Assumption(
            "tau_positive",
            holds=all(tau > 0.0 for tau in taus),
            detail=f"the smallest τ of a trained parameter is {min(taus):g}" if taus else "K and b are fixed",
        ),
        *(Assumption(name, holds=False, detail=words) for name, words in problem.regime.departures()),
    ]
