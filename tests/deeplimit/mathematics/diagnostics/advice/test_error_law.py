"""Laws through measured errors: signs, several entries, what they may be off by, and the smallest depth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplimit.mathematics.diagnostics.advice.depth_advice import Bracket, advise
from deeplimit.mathematics.diagnostics.advice.error_law import ErrorLaw
from deeplimit.mathematics.diagnostics.advice.measured_errors import MeasuredError, MeasuredErrors, Size
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted

CONSTANT = st.floats(-3.0, 3.0, allow_subnormal=False)
NOTHING = MeasuredErrors(None, [], reason="not measured")


def errors(
    depths: tuple[int, ...], *terms: tuple[float, ...], order: float = 1.0, error: float = 0.0
) -> MeasuredErrors:
    """Errors n^{−q} Σ_k terms[k] n^{−k}, one entry for each place in the terms."""
    rows = [
        MeasuredError(n, sum(np.asarray(c) * float(n) ** -(order + k) for k, c in enumerate(terms)), error)
        for n in depths
    ]
    return MeasuredErrors(order, rows)


def law_of(first: float, second: float, order: float = 1.0) -> ErrorLaw:
    return errors((8, 16, 32), (first,), (second,), order=order).laws()[0]


@given(CONSTANT, CONSTANT, st.floats(1e-6, 1.0), st.sampled_from([1.0, 2.0]))
def test_the_depth_is_the_smallest_from_which_on_the_error_stays(
    first: float, second: float, wanted: float, order: float
) -> None:
    found = law_of(first, second, order).depths_for(wanted)
    assert found is not None

    def size(n: int) -> float:
        return float(abs(first + second / n) * n**-order)

    depth = found.depth
    beyond = [*range(depth, depth + 50), 2 * depth, 10 * depth, 1000 * depth]
    assert all(size(n) <= wanted * (1.0 + 1e-9) for n in beyond)
    if depth > 2:
        before = [*range(depth - 1, depth + 50), *(round(depth * 1.1**k) for k in range(60))]
        assert max(size(n) for n in before) > wanted * (1.0 - 2.0 / depth)


def test_an_error_that_vanishes_somewhere_is_not_met_there() -> None:
    """1/n − 10/n² is 0 at n = 10 and 0.025 at n = 20: a search that stops at the first depth would say 10."""
    law = law_of(1.0, -10.0)
    assert law.at(10)[0] == pytest.approx(0.0, abs=1e-12)
    found = law.depths_for(0.02)
    assert found is not None
    assert found.depth == 37
    control = law_of(1.0, 0.0).depths_for(0.02000001)
    assert control is not None
    assert control.depth == 50


@pytest.mark.parametrize("wanted", [0.0, -1.0, float("nan")])
def test_an_error_that_cannot_be_is_refused(wanted: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        law_of(1.0, 0.0).depths_for(wanted)


def test_entries_keep_their_signs() -> None:
    """One entry is 3/n − 70/n², whose size has a dip at n = 23; the other 0.5/n is the largest around it.

    A law of the largest size at 16 and 32 would be rising from −1.4/n to 0.8/n.
    """
    measured = errors((64, 128, 256), (3.0, 0.5), (-70.0, 0.0))
    advice = advise(Wanted(Quantity.PREDICTION_ERROR, 2e-3), measured, NOTHING)
    # 3/n − 70/n² = 2e-3 at n = 1476.3.
    assert advice.depth == 1477
    assert advice.depth_interval is not None
    assert advice.depth_interval[0] <= 1477 <= advice.depth_interval[1]
    early = advise(Wanted(Quantity.PREDICTION_ERROR, 2e-3), errors((8, 16, 32), (3.0, 0.5), (-70.0, 0.0)), NOTHING)
    assert early.depth is None
    assert "is not the first term of its law; add depth 64" in early.withheld["depth"]


def test_a_law_from_far_below_is_withheld() -> None:
    far = advise(Wanted(Quantity.PREDICTION_ERROR, 1e-3), errors((8, 16, 32), (1.0,), (6.0,)), NOTHING)
    assert far.depth is None
    assert far.withheld["depth"] == "about 1006 layers are too many to be predicted from 32; add depth 63"
    near = advise(Wanted(Quantity.PREDICTION_ERROR, 1e-2), errors((8, 16, 32), (1.0,), (6.0,)), NOTHING)
    assert near.depth == 106  # 1/n + 6/n² = 1e-2 at n = 105.7


def test_what_the_numbers_may_be_off_by_widens_the_interval() -> None:
    wanted = Wanted(Quantity.GAP, 5.001e-3)
    exact = advise(wanted, errors((8, 16, 32), (1.0,)), NOTHING)
    assert (exact.depth, exact.depth_interval) == (200, (200, 200))
    known = advise(wanted, errors((8, 16, 32), (1.0,), error=1e-5), NOTHING)
    assert known.depth == 200
    assert known.depth_interval is not None
    assert 195 < known.depth_interval[0] <= 200 <= known.depth_interval[1] < 205
    vague = advise(wanted, errors((8, 16, 32), (1.0,), error=1e-3), NOTHING)
    assert vague.depth is None
    assert "lower training.gradient_tolerance and continuum.tolerance" in vague.withheld["depth"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 2.0, 0.5], Bracket(17, 32, coarsest=False)),
        ([0.9, 0.8, 0.7], Bracket(2, 8, coarsest=True)),
        ([0.9, 2.0, 0.7], Bracket(17, 32, coarsest=False)),
        ([0.9, 0.8, 2.0], Bracket(33, None, coarsest=False)),
        ([3.0, 1.05, 0.7], Bracket(9, 32, coarsest=False)),
        ([3.0, 2.0, 1.05], Bracket(17, None, coarsest=False)),
    ],
)
def test_what_was_measured_bounds_the_depth(values: list[float], expected: Bracket) -> None:
    """What is wanted is 1, and every number is known to 0.1: 1.05 tells nothing."""
    sizes = [Size(n, value, 0.1) for n, value in zip((8, 16, 32), values, strict=True)]
    assert Bracket.of(sizes, 1.0) == expected


def test_a_law_that_the_table_contradicts_gives_way() -> None:
    """Errors that jump between the two finest depths: the law's 24 layers are inside the table, 17 to 32."""
    rows = [MeasuredError(n, np.array([v]), 0.0) for n, v in ((8, 1.0), (16, 0.9), (32, 0.01))]
    advice = advise(Wanted(Quantity.GAP, 0.5), MeasuredErrors(1.0, rows), NOTHING)
    assert advice.depth is not None
    assert 16 < advice.depth <= 32
    assert advice.depth_interval is not None
    assert 17 <= advice.depth_interval[0] <= advice.depth_interval[1] <= 32


def test_a_slope_that_the_gaps_contradict_is_not_used() -> None:
    rows = [MeasuredError(n, np.array([1.0 / n]), 0.0) for n in (8, 16, 32)]
    wanted = Wanted(Quantity.GAP, 5.001e-3)
    wrong = advise(wanted, MeasuredErrors(1.0, rows, first=(2.0, None)), NOTHING)
    assert (wrong.depth, wrong.basis) == (200, "discrete-8, discrete-16, discrete-32")
    right = advise(wanted, MeasuredErrors(1.0, rows[:1], first=(1.0, None)), NOTHING)
    assert (right.depth, right.basis) == (200, "continuum, discrete-8")
    alone = advise(wanted, MeasuredErrors(1.0, [], first=(1.0, None), reason="no gap is resolved"), NOTHING)
    assert alone.depth is None
    assert alone.withheld["depth"] == "no trained model predicts the gap: no gap is resolved"


def test_errors_that_are_not_resolved_are_no_lack_of_depths() -> None:
    rows = [MeasuredError(n, np.array([1.0 / n]), 0.02, resolved=n < 16) for n in (8, 16, 32)]
    advice = advise(Wanted(Quantity.PREDICTION_ERROR, 1e-2), MeasuredErrors(1.0, rows), NOTHING)
    assert advice.depth is None
    assert "lower training.gradient_tolerance and continuum.tolerance" in advice.withheld["depth"]
    alone = advise(Wanted(Quantity.PREDICTION_ERROR, 1e-2), MeasuredErrors(1.0, rows[:1]), NOTHING)
    assert alone.withheld["depth"].endswith("add depth 16")
