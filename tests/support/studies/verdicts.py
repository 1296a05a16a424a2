"""Studies of every outcome, small and each made once, with the verdict on it."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from deeplimit.mathematics import ContinuumOptions, Problem, Regime, Regularisation, Scaling, Training, train
from deeplimit.mathematics.diagnostics.report import diagnose
from deeplimit.mathematics.diagnostics.statements.verdict import reach_verdict
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.minimise.certificate import Certificate, Kind
from tests.support.small_problems import bifurcating, critical, odd_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeplimit.mathematics import TrainedStudy
    from deeplimit.mathematics.diagnostics.statements.verdict import Verdict
    from deeplimit.mathematics.study.branches import Branch

SMALL = (8, 16, 32)
SHARP = Training(1e-9, starts=2)


@cache
def converging() -> TrainedStudy:
    """Known answer C at three depths."""
    return train(odd_pair("tanh"), SMALL, training=SHARP)


def altered(change: Callable[[Branch], None]) -> Verdict:
    """Return the verdict on the converging study with another verdict branch."""
    study = copy.deepcopy(converging().study)
    study.max_iterations, study.wall_time_s = 200, 60.0
    change(study.verdict_branch)
    return diagnose(Subject(study, study.problem.x, "train")).verdict


def ended(*depths: int, status: Status) -> Verdict:
    """Return the verdict where depths ended otherwise."""

    def change(branch: Branch) -> None:
        for depth in depths:
            point = branch.points[depth]
            point.solution, point.certificate = replace(point.solution, status=status), None

    return altered(change)


def _saddle(branch: Branch) -> None:
    branch.points[32].certificate = Certificate(lambda_min=-0.1, lambda_min_error=0.0, kind=Kind.SADDLE)


def _left(branch: Branch) -> None:
    branch.left = [16, 32]


def unconfirmed() -> Verdict:
    """Return the verdict where the independent check finds another limit."""
    study = converging().study
    diagnostics = converging().diagnostics
    check = diagnostics.independent_check
    assert check is not None
    assert check.objective is not None
    subject = Subject(study, study.problem.x, "train", certificates=diagnostics.certificates)
    apart = replace(check, objective=1.1 * check.objective, difference=0.1 * check.objective)
    found = replace(diagnostics, independent_check=apart)
    return reach_verdict(subject, found, found.classification, found.depth_advice)


def _trained(problem: Problem, depths: tuple[int, ...], options: ContinuumOptions | None = None) -> Verdict:
    return train(problem, depths, options, Training(starts=1)).diagnostics.verdict


def slow_start() -> Problem:
    """The gap's second term in 1/n is as large as its first up to depth 16."""
    return Problem(
        [[1.0]],
        [[1.9]],
        activation="identity",
        regularisation=Regularisation(dict.fromkeys("KbWc", 0.1)),
        fixed={"K": [[-1.0]], "W": [[1.0]], "c": [0.0]},
    )


def scaled(scaling: Scaling) -> Problem:
    """Known answer C with another regulariser than the theorem's."""
    plain = odd_pair("tanh")
    return Problem(
        [[1.0], [-1.0]],
        [[2.0], [-2.0]],
        regularisation=Regularisation(plain.regularisation.alpha),
        regime=Regime(scaling=scaling),
    )


LIMIT = ContinuumOptions()
OUTCOMES: dict[str, Callable[[], Verdict]] = {
    "true": lambda: converging().diagnostics.verdict,
    "false": lambda: _trained(scaled(Scaling.UNSCALED), (4, 8, 16, 32)),
    "iteration limit": lambda: ended(8, status=Status.MAX_ITERATIONS),
    "iteration limits": lambda: ended(8, 16, status=Status.MAX_ITERATIONS),
    "time limit": lambda: ended(32, status=Status.TIME_LIMIT),
    "stalled": lambda: ended(32, status=Status.STALLED),
    "coarse depths": lambda: _trained(slow_start(), (8, 16), LIMIT),
    "off-branch depths": lambda: altered(_left),
    "saddle": lambda: altered(_saddle),
    "independent check disagrees": unconfirmed,
    "no continuum": lambda: _trained(odd_pair("tanh"), (8, 16)),
    "unequal depths": lambda: _trained(odd_pair("identity"), (8, 9, 64)),
    "regime without theorem": lambda: _trained(scaled(Scaling.L2), (4, 8, 16, 32)),
    "one depth": lambda: _trained(odd_pair("tanh"), (8,), LIMIT),
    "no depth": lambda: _trained(odd_pair("tanh"), (), LIMIT),
    "identity networks": lambda: _trained(bifurcating(0.6 * critical(None)), (8, 16), LIMIT),
    "kinks": lambda: _trained(odd_pair("relu"), (8, 16), LIMIT),
    "not covered": lambda: _trained(odd_pair("sigmoid"), (8, 16, 32), LIMIT),
}
"""Verdicts by what they come to."""


@cache
def verdict(name: str) -> Verdict:
    """Return one of `OUTCOMES`, which is made once."""
    return OUTCOMES[name]()
