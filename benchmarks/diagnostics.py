"""What share of a study its diagnostics take, and which of them, in gradients of the finest depth and in CPU time.

Run from the project's root:  .venv/bin/python -m benchmarks.diagnostics [moons | breast_cancer | digits] ...
"""

import sys
from dataclasses import dataclass

import torch
from sklearn.datasets import make_moons

from benchmarks.ledger import Ledger
from deeplimit.mathematics.problem.datasets import Standardisation, load
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.training import Training
from deeplimit.mathematics.trained_study import TrainedStudy, train

CONTINUUM = ContinuumOptions()
ALPHA = Regularisation(alpha=dict.fromkeys(("K", "b", "W", "c"), 1e-3))


@dataclass(frozen=True)
class Example:
    """One study."""

    problem: Problem
    depths: tuple[int, ...]
    training: Training
    continuum: ContinuumOptions | None = CONTINUUM

    @property
    def unit(self) -> float:
        """Layers of one gradient of the finest depth, over all samples."""
        return float(self.depths[-1] * self.problem.samples)


def moons(*depths: int, samples: int = 200, state_dim: int = 4) -> Example:
    """Return two moons, by default at depths 8 to 1024."""
    inputs, labels = make_moons(samples, noise=0.1, random_state=0)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    problem = Problem(inputs, labels, loss="cross_entropy", state_dim=state_dim, regularisation=ALPHA)
    return Example(problem, depths or (8, 16, 32, 64, 128, 256, 512, 1024), Training(starts=1))


def built_in(name: str, *depths: int, tolerance: float = 1e-7) -> Example:
    """Return a data set of scikit-learn, standardised."""
    data = load(name)
    inputs = Standardisation.fit(data.inputs).inputs(data.inputs)
    problem = Problem(inputs, data.targets, loss="cross_entropy", regularisation=ALPHA)
    return Example(problem, depths, Training(starts=1, gradient_tolerance=tolerance))


def example(name: str) -> Example:
    """Return one of the three studies by name."""
    if name == "moons":
        return moons()
    if name == "breast_cancer":
        return built_in(name, 8, 16, 32, 64, 128, 256)
    return built_in(name, 4, 8, 16, 32, tolerance=1e-6)


def measure(study: Example) -> tuple[Ledger, TrainedStudy]:
    """Train one study and return what its work went to."""
    ledger = Ledger()
    with ledger.watching():
        trained = train(study.problem, study.depths, study.continuum, study.training)
    return ledger, trained


def show(name: str) -> None:
    """Print one study's sections."""
    study = example(name)
    ledger, trained = measure(study)
    spent = sum(ledger.seconds.values())
    print(f"{name}, depths {study.depths[0]} to {study.depths[-1]}: {trained.diagnostics.verdict.summary}")
    for section, gradients, seconds in ledger.shares(study.unit):
        kinds = ", ".join(
            f"{method} {amount / study.unit:.2f}"
            for (where, method), amount in ledger.calls.items()
            if where == section and amount >= 0.005 * study.unit
        )
        print(f"  {section:34s} {gradients:8.2f} gradients {seconds:7.2f} s {seconds / spent:6.1%}  {kinds}")
    for what, (layers, seconds) in (("training", ledger.training()), ("diagnostics", ledger.diagnostics())):
        print(f"  {what:34s} {layers / study.unit:8.2f} gradients {seconds:7.2f} s {seconds / spent:6.1%}")
    branch = trained.study.verdict_branch
    rows = [(f"n = {depth}", point.certificate) for depth, point in branch.points.items()]
    rows += [] if branch.continuum is None else [("continuum", branch.continuum.certificate)]
    counts = [f"{where}: {known.products} ({known.kind})" for where, known in rows if known is not None]
    print("  products of certificates: " + "; ".join(counts))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for argument in sys.argv[1:] or ["moons", "breast_cancer", "digits"]:
        show(argument)
