"""Advised depths against scipy's minimiser of the objective from its definition: a few of the benchmark's problems."""

import pytest

from benchmarks.depth_advice import Example, Independent, compare, judge
from deeplimit.mathematics import train
from deeplimit.mathematics.diagnostics.advice.wanted import DepthAdvice, Quantity, Wanted


@pytest.mark.parametrize("seed", [3, 14])
def test_the_advised_depth_is_the_smallest_by_an_independent_minimiser(seed: int) -> None:
    searched, *table = compare(seed)
    assert searched[1] in ("right", "one off"), searched
    assert all(verdict in ("right", "one off", "at most", "withheld") for _, verdict in table), table


def test_a_wrong_depth_is_judged_wrong() -> None:
    example = Example.draw(3)
    limit = train(example.problem, (8, 16)).study.verdict_branch.continuum
    assert limit is not None
    true = Independent(example, limit.parameters)
    assert true.limit(0)[0] == pytest.approx(limit.solution.objective, abs=1e-7)
    wanted = Wanted(Quantity.GAP, true.size(20, Quantity.GAP) * 1.001)
    verdicts = {n: judge(DepthAdvice(wanted.error, n, ""), wanted, true) for n in (16, 19, 20, 21, 24)}
    assert verdicts == {16: "wrong", 19: "one off", 20: "right", 21: "one off", 24: "wrong"}
