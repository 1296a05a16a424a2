"""A problem takes numbers however an array lays them out in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from deeplimit.mathematics import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = npt.NDArray[np.float64]


def spaced(values: Floats) -> Floats:
    """Return a view with gaps between its entries."""
    wide = np.full((*values.shape[:-1], 3 * values.shape[-1]), np.nan)
    wide[..., ::3] = values
    view: Floats = wide[..., ::3]
    return view


@pytest.mark.parametrize(
    "laid_out",
    [
        np.ascontiguousarray,  # the control
        lambda values: np.ascontiguousarray(values[::-1])[::-1],
        lambda values: np.ascontiguousarray(np.flip(values))[(slice(None, None, -1),) * values.ndim],
        np.asfortranarray,
        lambda values: values.astype(">f8"),
        spaced,
    ],
    ids=["contiguous", "rows_reversed", "all_reversed", "fortran", "big_endian", "spaced"],
)
@pytest.mark.parametrize(("loss", "targets"), [("squared_error", [3.0, 1.0, 2.0]), ("cross_entropy", [2.0, 0.0, 1.0])])
def test_the_layout_of_an_array_does_not_matter(
    laid_out: Callable[[Floats], Floats], loss: str, targets: list[float]
) -> None:
    x, y, W = np.arange(6.0).reshape(3, 2), np.array(targets), np.arange(6.0).reshape(3, 2)
    fixed = {"W": laid_out(W)} if loss == "cross_entropy" else {"W": laid_out(W[:1])}
    problem = Problem(laid_out(x), laid_out(y), loss=loss, fixed=fixed)
    assert problem.x.tolist() == x.tolist()
    assert problem.y.flatten().tolist() == targets
    assert problem.fixed["W"].tolist() == fixed["W"].tolist()
    assert problem.lift_inputs(laid_out(2.0 * x)).tolist() == (2.0 * x).tolist()
    assert problem.lift_targets(laid_out(y)).flatten().tolist() == targets


def test_a_problem_keeps_numbers_of_its_own() -> None:
    x = np.ones((2, 1))
    problem = Problem(x, x)
    x[:] = 7.0
    assert problem.x.tolist() == problem.y.tolist() == [[1.0], [1.0]]
