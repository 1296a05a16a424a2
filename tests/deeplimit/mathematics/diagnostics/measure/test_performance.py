"""Accuracy and R² of every model, and from which depth on no sample tells it from the limit."""

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import numpy as np
import pytest
import torch

from deeplimit.mathematics import Problem, Training, train
from deeplimit.mathematics.diagnostics.measure import performance
from deeplimit.mathematics.diagnostics.measure.performance import (
    SLIGHT,
    Performance,
    PerformanceRow,
    measure_performance,
)
from deeplimit.mathematics.problem.terminal_loss import TERMINAL_LOSSES

if TYPE_CHECKING:
    from deeplimit.mathematics.diagnostics.subject import Subject


def model(z: torch.Tensor, depth: int = 0) -> Any:
    """A model that has these outputs whatever it is given."""
    solution = SimpleNamespace(objective=1.0, u=None)
    return SimpleNamespace(depth=depth, solution=solution, model=SimpleNamespace(output=lambda _u, _x: z))


def measured(loss: str, targets: torch.Tensor, outputs: dict[int, torch.Tensor], limit: torch.Tensor) -> Performance:
    problem = SimpleNamespace(x=targets, y=targets, loss=TERMINAL_LOSSES[loss])
    points = [model(z, depth) for depth, z in outputs.items()]
    subject = SimpleNamespace(targets=None, inputs=None, problem=problem, points=points, continuum=model(limit))
    with mock.patch.object(performance, "outputs", lambda _subject, each, inputs: each.model.output(None, inputs)):
        found = measure_performance(cast("Subject", subject))
    assert found is not None
    return found


def wrong_on(count: int, samples: int = 1000) -> torch.Tensor:
    """Outputs of two classes that miss the first samples of class 0."""
    z = torch.tensor([[1.0, 0.0]]).repeat(samples, 1)
    z[:count] = torch.tensor([0.0, 1.0])
    return z


def test_classes_are_compared_on_the_same_samples() -> None:
    """With c samples that only one model misses, the difference c/S is known to 2 √c/S at most: 3 of 40 may be none."""
    y = torch.zeros(40, dtype=torch.int64)
    found = measured("cross_entropy", y, {4: wrong_on(4, 40), 8: wrong_on(3, 40), 16: wrong_on(0, 40)}, wrong_on(0, 40))
    assert [row.value for row in found.rows] == pytest.approx([0.9, 0.925, 1.0])
    assert [row.same for row in found.rows] == [False, False, True]
    assert [row.apart for row in found.rows] == [True, False, False]
    assert (found.same_from, found.not_told_from) == (16, 8)
    assert (found.metric, found.data, found.samples, found.limit) == ("accuracy", "train", 40, 1.0)


def test_differences_that_do_not_show_are_none() -> None:
    y = torch.zeros(100_000, dtype=torch.int64)
    slight, more = (round(share * len(y)) for share in (0.9 * SLIGHT, 1.1 * SLIGHT))
    outputs = {4: wrong_on(more, len(y)), 8: wrong_on(slight, len(y))}
    found = measured("cross_entropy", y, outputs, wrong_on(0, len(y)))
    assert [row.same for row in found.rows] == [False, True]


def test_r2_is_compared_by_squared_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randn((50, 2), generator=generator, dtype=torch.float64)
    noise = torch.randn((50, 2), generator=generator, dtype=torch.float64)
    worse, alike = y + noise, y + 0.2 * torch.flip(noise, (0,))
    found = measured("squared_error", y, {4: worse, 8: alike}, y + 0.2 * noise)
    assert [row.apart for row in found.rows] == [True, False]
    errors = [((z - y) ** 2).sum(1).numpy() for z in (worse, y + 0.2 * noise)]
    spread = float(((y - y.mean(0)) ** 2).sum())
    assert found.rows[0].value == pytest.approx(1.0 - errors[0].sum() / spread)
    difference = (errors[1] - errors[0]) / (spread / 50)
    assert found.rows[0].difference == pytest.approx(difference.mean())
    assert abs(difference.mean()) > 2.0 * difference.std() / math.sqrt(50), "or it would not be told"


SAME = ((4, True), (8, False), (16, True), (32, True))


def test_from_the_deepest_that_differs_on() -> None:
    rows = [
        PerformanceRow(n, 0.9, 0.0, same=same, apart=not same)
        for n, same in ((4, True), (8, False), (16, True), (32, True))
    ]
    assert Performance("accuracy", "train", 10, 0.9, 0.9, rows).same_from == 16
    assert Performance("accuracy", "train", 10, 0.9, 0.9, rows).not_told_from == 16
    assert Performance("accuracy", "train", 10, 0.9, 0.9, rows[:2]).same_from is None


def test_targets_that_do_not_vary_have_no_r2() -> None:
    problem = Problem([[1.0], [2.0]], [[1.0], [1.0]])
    assert train(problem, (2, 4), training=Training(starts=1)).diagnostics.performance is None


def test_of_a_study_it_is_that_of_the_held_out_samples() -> None:
    """An independent evaluation of the networks in numpy."""
    inputs = np.linspace(-1.0, 1.0, 12)[:, None]
    held_out = np.array([[-0.7], [0.1], [0.9]])
    problem = Problem(inputs, np.sin(3.0 * inputs))
    trained = train(
        problem,
        (4, 8),
        training=Training(starts=1),
        validation_inputs=held_out,
        validation_targets=np.sin(3.0 * held_out),
    )
    found = trained.diagnostics.performance
    assert found is not None
    assert (found.metric, found.data, found.samples) == ("r2", "validation", 3)
    theta = trained.study.verdict_branch.points[8].parameters
    x = held_out.copy()
    for K, b in zip(theta.K.numpy(), theta.b.numpy(), strict=True):
        x = x + np.tanh(x @ K.T + b) / 8
    z, y = x @ theta.W.numpy().T + theta.c.numpy(), np.sin(3.0 * held_out)
    assert found.at(8) == pytest.approx(1.0 - ((z - y) ** 2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-9)
    answer = trained.diagnostics.verdict.answer
    assert (answer.metric, answer.data, answer.in_the_limit) == ("r2", "validation", found.limit)
    alone = train(problem, (4, 8), training=Training(starts=1), validation_inputs=held_out).diagnostics.performance
    assert alone is not None
    assert alone.data == "train", "targets of the validation inputs are not known"
