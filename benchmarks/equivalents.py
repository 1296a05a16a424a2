"""The work of whole studies in gradients of the finest depth, which no machine changes.

Studies with one start and one α for all. An evaluation of E_n with its gradient costs n layers, a Hessian-vector
product twice as much; so much of it makes a gradient-equivalent of the finest depth. The continuum is counted for
itself, a layer for each stage. Two counts: what the fits say of themselves, and what was really called throughout the
study, certificates and starts that were given up included.

Run from the project's root:  .venv/bin/python -m benchmarks.equivalents [--quick] [moons] [breast_cancer] [digits]
"""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.speed.measure import PASSING, RESULTS, Record, one_thread
from benchmarks.speed.problems import ALPHA, depths_to, problem
from deeplimit.mathematics.model.objective import DiscretisedObjective, Linearisation
from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.sweep import run_study
from deeplimit.mathematics.study.training import Training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

PRODUCT = 2
"""Evaluations that a Hessian-vector product costs."""


@dataclass(frozen=True)
class Case:
    """A study: data, d, depths and tolerance."""

    data: str
    d: int | None
    depths: tuple[int, ...]
    tolerance: float
    seed: int = 0
    alpha: float = ALPHA


WHOLE = (
    Case("moons", 4, depths_to(1024), 1e-7),
    Case("moons", 4, depths_to(1024), 1e-7, seed=1),
    Case("breast_cancer", None, depths_to(256), 1e-7, alpha=1e-2),
    Case("breast_cancer", None, depths_to(256), 1e-7),
    Case("digits", None, (4, 8, 16, 32), 1e-6),
)
QUICK = (Case("moons", 4, depths_to(64), 1e-7), Case("breast_cancer", None, depths_to(16), 1e-7))


class Calls:
    """Evaluations, values and Hessian products that were made, by what model they were made of."""

    def __init__(self) -> None:
        self.layers: Counter[str] = Counter()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count in layers all that is called meanwhile."""
        with (
            mock.patch.object(DiscretisedObjective, "evaluate", self._wrapped(DiscretisedObjective.evaluate, 1)),
            mock.patch.object(Linearisation, "hessian_product", self._wrapped(Linearisation.hessian_product, PRODUCT)),
        ):
            yield

    def _wrapped(self, method: Any, cost: int) -> Any:
        calls = self

        def counting(itself: Any, at: Tensor) -> Any:
            model = getattr(itself, "_objective", itself)
            name = "networks" if isinstance(model, ResidualNetwork) else "continuum"
            calls.layers[name] += cost * model.kernel.steps * model.kernel.stages
            return method(itself, at)

        return counting


def measured(case: Case) -> dict[str, object]:
    """Return the row of one study."""
    training = Training(starts=1, gradient_tolerance=case.tolerance, seed=case.seed)
    calls = Calls()
    with calls.counted():
        study = run_study(problem(case.data, case.d, alpha=case.alpha), case.depths, ContinuumOptions(), training)
    branch, finest = study.verdict_branch, case.depths[-1]
    fits = {depth: branch.points[depth].solution for depth in case.depths}
    layers = {n: n * (fit.evaluations + PRODUCT * fit.hessian_products) for n, fit in fits.items()}
    limit = branch.continuum
    if limit is None:
        raise RuntimeError("the study has no continuum")
    return {
        "data": case.data,
        "depths": list(case.depths),
        "tolerance": case.tolerance,
        "seed": case.seed,
        "alpha": case.alpha,
        "evaluations": [fit.evaluations for fit in fits.values()],
        "products": [fit.hessian_products for fit in fits.values()],
        "equivalents": sum(layers.values()) / finest,
        "continuum_evaluations": limit.solution.evaluations,
        "continuum_products": limit.solution.hessian_products,
        "all_equivalents": calls.layers["networks"] / finest,
        "all_continuum_equivalents": calls.layers["continuum"] / finest,
        "minimum": fits[finest].objective,
        "statuses": sorted({fit.status.value for fit in [*fits.values(), limit.solution]}),
    }


def main(folder: Path, *, quick: bool, names: tuple[str, ...] = ()) -> None:
    """Write a row for each study."""
    record = Record("equivalents", folder, quick=quick)
    with one_thread():
        for case in QUICK if quick else WHOLE:
            if not names or case.data in names:
                record.add(**measured(case))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Gradient-equivalents of whole studies.")
    parser.add_argument("names", nargs="*", choices=[*(case.data for case in WHOLE), []])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    part = given.quick or bool(given.names)
    main(PASSING if part else RESULTS, quick=given.quick, names=tuple(given.names))
