"""Error budgets against the truth, over problems with closed forms or tight runs, at four tolerances.

Run from the project's root:  .venv/bin/python -m benchmarks.coverage [-v] [words of a problem's name ...]

Told beside each kind of number: how many were given, the share within their budgets, the median of budget over error,
how many were withheld; and the same of the observed orders and their intervals. -v lists what was missed.
"""

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import torch

from benchmarks.coverage.problems import Case, cases
from benchmarks.coverage.truth import STARTS, TABLES, Truth, truth_of
from deeplimit.mathematics import ContinuumOptions, Training, train

DEPTHS: Final = (8, 16, 32)
TOLERANCES: Final = ((1e-4, 1e-5), (1e-5, 1e-6), (1e-6, 1e-7), (1e-7, 1e-8))
"""Of the gradient and of the continuum; the last are the defaults."""
KINKED_TOLERANCES: Final = ((1e-3, 1e-4), (1e-4, 1e-4), (1e-5, 1e-5), (1e-6, 1e-5))
"""The same across kinks, where steps are of order 2 and what is tighter takes thousands of them."""
_OTHER_BRANCH: Final = 0.02


@dataclass(frozen=True)
class Judged:
    """One number, or order, told or withheld: ``error`` over ``budget`` says whether it holds; None is withheld."""

    kind: str
    where: str
    held: bool | None
    width: float = math.nan


def judge(case: Case, truth: Truth, tolerances: tuple[float, float]) -> list[Judged] | None:
    """Train one study and hold every number that it tells against the truth; None if it found another minimum."""
    training = Training(tolerances[0], starts=STARTS)
    found: Any = train(case.build(case.dtype), DEPTHS, ContinuumOptions(tolerance=tolerances[1]), training).diagnostics
    minima = found.minima
    told = [(minima.continuum, truth.limit), *((row.objective, truth.minima[row.depth]) for row in minima.depths)]
    if any(abs(value - exact) > _OTHER_BRANCH * abs(exact) + 10.0 * tolerances[0] for value, exact in told):
        return None
    where = f"{case.name} {str(case.dtype)[6:]} {tolerances[0]:.0e}"
    return [*_tables(found, truth, where), *_numbers(minima, truth, where)]


def _tables(found: Any, truth: Truth, where: str) -> Iterator[Judged]:
    tables = (found.minima.depths, found.minimisers, found.states, found.predictions, found.lift, found.recovery)
    values = (
        lambda row: row.gap,
        lambda row: row.tl2.total,
        lambda row: row.sup_error,
        lambda row: row.sup_error,
        lambda row: row.excess,
        lambda row: row.excess,
    )
    for name, rows, value in zip(TABLES, tables, values, strict=True):
        exact = truth.tables[name]
        for row in rows:
            budget = row.error_budget
            total = budget.total
            yield _value(name, f"{where} n={row.depth}", value(row), exact[row.depth], total, truth.slack)
        for before, row in pairwise(rows):
            left, right = exact[before.depth], exact[row.depth]
            order = row.order["total"] if isinstance(row.order, dict) else row.order
            kind, at = f"{name} order", f"{where} n={row.depth}"
            if order is None:
                yield Judged(kind, at, None)
                continue
            held = left * right > 0.0
            low, high = row.error_budget.interval or (order, order)
            if held:
                correct = math.log(left / right) / math.log(row.depth / before.depth)
                noise = 1e-9 + 4.0 * truth.slack * max(abs(truth.limit / left), abs(truth.limit / right))
                held = low - noise <= correct <= high + noise
                at = f"{at}: {correct:.5f} not in [{low:.5f}, {high:.5f}]"
            yield Judged(kind, at, held, high - low)


def _numbers(minima: Any, truth: Truth, where: str) -> Iterator[Judged]:
    if truth.slope is not None:
        for row in [minima, *minima.depths]:
            kind = "C1" if row is minima else "C1 of a depth"
            error = getattr(row, "predicted_slope_error", 0.0)
            yield _value(kind, where, row.predicted_slope, truth.slope, error, truth.slack)
    error = getattr(minima, "richardson_error", 0.0)
    yield _value("Richardson", where, minima.richardson, truth.limit, error, truth.slack)


def _value(kind: str, where: str, value: float | None, exact: float, budget: float | None, slack: float) -> Judged:
    if value is None or budget is None:
        return Judged(kind, where, None)
    error = abs(value - exact)
    allowed = budget + slack * max(abs(exact), 1e-2)
    width = budget / error if error > slack else math.nan
    return Judged(kind, f"{where}: {value:.6e} ± {budget:.1e}, true {exact:.6e}", error <= allowed, width)


def table(title: str, judged: list[Judged]) -> None:
    """Print one row for each kind of number."""
    by_kind = defaultdict[str, list[Judged]](list)
    for each in judged:
        by_kind[each.kind].append(each)
    print(f"\n{title:24s} given  within   width  withheld")
    for kind, group in by_kind.items():
        given = [each for each in group if each.held is not None]
        share = sum(bool(each.held) for each in given) / len(given) if given else math.nan
        widths = [each.width for each in given if math.isfinite(each.width)]
        width = statistics.median(widths) if widths else math.nan
        print(f"{kind:24s} {len(given):5d}  {share:6.1%}  {width:6.2g}  {len(group) - len(given):8d}")
    withheld = sum(each.held is None for each in judged)
    print(f"{'withheld in all':24s} {withheld} of {len(judged)}")


def main(words: list[str]) -> None:
    """Judge the chosen cases."""
    chosen = [each for each in cases() if all(word in each.name for word in words if word != "-v")]
    smooth, kinks, elsewhere = list[Judged](), list[Judged](), 0
    for case in chosen:
        print(case.name, str(case.dtype)[6:], file=sys.stderr, flush=True)
        truth = truth_of(case, DEPTHS)
        for tolerances in TOLERANCES if case.smooth else KINKED_TOLERANCES:
            judged = judge(case, truth, tolerances)
            if judged is None:
                elsewhere += 1
                continue
            (smooth if case.smooth else kinks).extend(judged)
            if "-v" in words:
                missed = [each for each in judged if each.held is False]
                print("".join(f"missed: {each.kind}, {each.where}\n" for each in missed), end="", flush=True)
    print(f"{len(chosen)} problems, {len(TOLERANCES)} tolerances; {elsewhere} studies found another minimum")
    for title, judged in (("smooth", smooth), ("with kinks", kinks)):
        if judged:
            table(title, judged)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
