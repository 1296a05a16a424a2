"""The chance of another minimum: its estimate, its upper limit, and starts that go on until it is small."""

import numpy as np
import pytest

from deeplimit.mathematics import Problem, Regularisation, Training, train
from deeplimit.mathematics.study.sweep import run_study
from deeplimit.mathematics.study.unseen_minima import unseen_minima
from tests.support.small_problems import odd_pair

DISTRIBUTIONS = {
    "three alike": np.ones(3) / 3.0,
    "twenty alike": np.ones(20) / 20.0,
    "geometric": 0.5 ** np.arange(1, 30),
    "one rare": np.array([0.97, 0.03]),
    "one common": np.concatenate([[0.6], np.full(40, 0.01)]),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("starts", [4, 16, 64])
def test_the_upper_limit_holds_in_95_of_100_samples(name: str, starts: int) -> None:
    share = DISTRIBUTIONS[name] / DISTRIBUTIONS[name].sum()
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found, counts = np.unique(draw.choice(len(share), starts, p=share), return_counts=True)
        held += 1.0 - share[found].sum() <= unseen_minima(counts.tolist()).interval[1]
    assert held >= 0.94 * 400


def test_what_was_found_once_is_what_is_missing() -> None:
    found = unseen_minima([5, 2, 1])
    assert found.estimate == 1 / 8
    assert found.interval[0] == 0.0
    assert found.interval[1] > 0.125
    assert unseen_minima([4]).interval[1] == pytest.approx(1.0 - 0.025**0.25)
    assert unseen_minima([1]).interval[1] == 1.0
    with pytest.raises(ValueError, match="one start"):
        unseen_minima([])


def nine_points(sign: float) -> Problem:
    draw = np.random.default_rng(5)
    x = draw.standard_normal((9, 2))
    y = np.sin(2.0 * x[:, :1]) + x[:, 1:] + 0.3 * draw.standard_normal((9, 1))
    return Problem(x * [sign, 1.0], y, regularisation=Regularisation(dict.fromkeys("KbWc", 1e-2)))


def test_starts_go_on_until_another_minimum_is_unlikely() -> None:
    study = run_study(nine_points(1.0), (4,), None, Training(starts=None, most_unseen=0.3))
    assert study.starts > 4
    assert study.unseen.interval[1] <= 0.3
    assert not study.lowest_found
    few = run_study(nine_points(1.0), (4,), None, Training(starts=4))
    assert few.starts == 4
    assert few.lowest_found
    most = run_study(nine_points(1.0), (4,), None, Training(starts=None, most_starts=6, most_unseen=1e-3))
    assert most.starts == 6


def test_mirrored_copies_of_data_get_one_limit_when_starts_go_on() -> None:
    """E is the same for both copies and mirrored parameters; the starts are not."""
    lowest = [
        run_study(nine_points(sign), (4,), None, Training(starts=None, most_unseen=0.15)).verdict_branch.level
        for sign in (1.0, -1.0)
    ]
    assert lowest[0] == pytest.approx(lowest[1], rel=1e-7)


def test_the_lowest_found_is_not_called_the_lowest() -> None:
    found = train(odd_pair("tanh"), (8, 16), training=Training(1e-9, starts=4)).diagnostics.verdict
    assert found.converges is True
    assert found.statements[0].startswith("The lowest minima found, and their minimisers, converge")
    assert "a lower one is not excluded" in found.statements[-1]
    sure = train(odd_pair("tanh"), (8, 16), training=Training(1e-9, starts=4, most_unseen=0.7)).diagnostics.verdict
    assert sure.statements[0].startswith("The minima and minimisers converge")
    assert "a lower one is not excluded" not in sure.statements[-1]
