"""The multilevel study: starts at the coarsest depth, distinct minima carried to every depth and to the continuum.

The best start at the coarsest depth is often not the best limit, so every distinct minimum near the best becomes a
branch; the verdict branch is the one lowest in E_∞ (without a continuum: at the finest depth), and it is followed back
to the coarse depths by restriction where they turn out to be on another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

import torch

from deeplimit.mathematics.model.residual_network import ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong
from deeplimit.mathematics.problem.learning_problem import Problem
from deeplimit.mathematics.study.along_branch import AlongBranch
from deeplimit.mathematics.study.branch_certificates import forget_searches, nearby_eigenvector
from deeplimit.mathematics.study.branches import (
    Branch,
    BranchPoint,
    BranchStatus,
    Facts,
    StationaryPoint,
    cluster,
    continuum_facts,
    merge_coinciding,
    nearest_image,
    point_facts,
    same_minimum,
    select,
)
from deeplimit.mathematics.study.continuum_fit import ContinuumFit, ContinuumOptions
from deeplimit.mathematics.study.expected_work import (
    STAGES,
    STARTED,
    of_certificate,
    of_continuum,
    of_depths,
    of_following_back,
    of_network,
)
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.follow_back import hold_together
from deeplimit.mathematics.study.progress import Meter, ProgressObserver, Stage
from deeplimit.mathematics.study.training import DepthStart, Training
from deeplimit.mathematics.study.unseen_minima import UnseenMinima, unseen_minima
from deeplimit.mathematics.watch import until

_Point = TypeVar("_Point", bound=StationaryPoint)
_STARTS_AT_ONCE: Final = 4
"""Starts between two looks at how many minima they found, where that decides how many are made."""


@dataclass
class Study:
    """What was trained.

    Attributes
    ----------
    branches
        Every branch, in the order of discovery; ``verdict`` is the index of the one that results are about.
    most_unseen
        The chance of a minimum that was not found above which the lowest minimum is called the lowest found.
    max_iterations, wall_time_s
        What training was limited to, where that is known.
    """

    problem: Problem
    depths: tuple[int, ...]
    branches: list[Branch] = field(default_factory=list)
    verdict: int = 0
    most_unseen: float = 0.1
    max_iterations: int | None = None
    wall_time_s: float | None = None

    @property
    def verdict_branch(self) -> Branch:
        """The branch lowest in E_∞, or at the finest depth."""
        return self.branches[self.verdict]

    @property
    def starts(self) -> int:
        """How many starts there were; a saddle's led on to a minimum and are counted there."""
        return sum(branch.starts for branch in self.branches if branch.status is not BranchStatus.SADDLE)

    @property
    def unseen(self) -> UnseenMinima:
        """The chance that one more start leads to a minimum that was not found.

        Branches that merged are one minimum; one that no start led to was found once all the same.
        """
        found: Counter[int] = Counter()
        for index, branch in enumerate(self.branches):
            if branch.status is not BranchStatus.SADDLE:
                found[self._end(index)] += max(branch.starts, 1)
        return unseen_minima(list(found.values()))

    @property
    def lowest_found(self) -> bool:
        """Whether the lowest minimum is only the lowest that was found: a lower one is not unlikely enough."""
        return self.unseen.interval[1] > self.most_unseen

    @property
    def verdict_starts(self) -> int:
        """How many starts led to the verdict branch, those of branches that merged into it included."""
        return sum(branch.starts for index, branch in enumerate(self.branches) if self._end(index) == self.verdict)

    def forget_curvature(self) -> None:
        """Give up what was learnt of Hessians: nothing more is trained, and it is larger than the models."""
        for branch in self.branches:
            forget_searches(branch)
            _forget_curvature(branch.points.values())
            if branch.continuum is not None:
                _forget_curvature([branch.continuum])

    def _end(self, index: int) -> int:
        while (into := self.branches[index].merged_into) is not None:
            index = into
        return index


def run_study(
    problem: Problem,
    depths: Sequence[int],
    continuum: ContinuumOptions | None,
    training: Training,
    observer: ProgressObserver | Meter | None = None,
    *,
    deadline: float | None = None,
) -> Study:
    """Train the networks of every depth and the continuum model along every branch.

    Parameters
    ----------
    depths
        Strictly increasing, each ≥ 2; empty for the continuum alone.
    deadline
        In seconds of ``time.monotonic``; by default the training's wall time from now.

    Returns
    -------
    Study
        With a model for each depth on every branch that was carried; what there was no time for begins where it would
        have begun, and is not evaluated.

    Raises
    ------
    ValueError
        If the depths are not so, there is nothing to train, or a continuum is asked for that the regime does not have.
    """
    ordered = tuple(depths)
    if any(n < 2 for n in ordered) or list(ordered) != sorted(set(ordered)):
        raise ValueError("depths must be strictly increasing and at least 2")
    if not ordered and continuum is None:
        raise ValueError("neither depths nor a continuum model: nothing to train")
    if continuum is not None and not problem.regime.has_continuum:
        raise ValueError(f"the scaling {problem.regime.scaling.value} has no continuum problem")
    if continuum is None and training.depth_start is DepthStart.RECOVERY:
        raise ValueError("the recovery sequence starts from a continuum model")
    return _Sweep(problem, ordered, continuum, training, observer, deadline).run()


class _Sweep:
    def __init__(
        self,
        problem: Problem,
        depths: tuple[int, ...],
        continuum: ContinuumOptions | None,
        training: Training,
        observer: ProgressObserver | Meter | None,
        deadline: float | None,
    ) -> None:
        self.problem, self.depths, self.continuum, self.training = problem, depths, continuum, training
        self.generator = torch.Generator().manual_seed(training.seed)
        self.from_continuum = not depths or training.depth_start is DepthStart.RECOVERY
        self.meter = Meter.of(observer)
        self.fitter = Fitter(problem, training, self.meter, continuum, deadline)
        self.along = AlongBranch(self.fitter, training, depths[-1] if depths else 0)
        first = of_continuum(carried=False) if self.from_continuum else of_network(depths[0], STARTED)
        certificate = of_certificate(STAGES if self.from_continuum else depths[0], first=True)
        rest = self._expected(1, self._carried_depths, STARTED)
        self.meter.expect(Stage.TRAINING, self._most_starts * first + certificate + rest)

    def run(self) -> Study:
        study = Study(
            self.problem,
            self.depths,
            most_unseen=self.training.most_unseen,
            max_iterations=self.training.max_iterations,
            wall_time_s=self.training.wall_time_s,
        )
        study.branches = self._continuum_starts() if self.from_continuum else self._discrete_starts()
        for index, depth in enumerate(self._carried_depths):
            self._expect(study.branches, self._carried_depths[index:])
            self._carry(study.branches, depth)
        self._expect(study.branches, ())
        if not self.from_continuum:
            self._carry_to_continuum(study.branches)
        study.verdict = min(range(len(study.branches)), key=lambda index: study.branches[index].level)
        # Without a limit problem nothing says which of several unrelated minima is the one to follow.
        if self.problem.regime.has_continuum or self.training.depth_start is not DepthStart.INDEPENDENT:
            work = of_following_back(self.depths)
            self.meter.expect(Stage.TRAINING, work)
            self.meter.begin(Stage.TRAINING, work)
            self._take(study, hold_together(study.verdict_branch, self.fitter))
            self.meter.finish(work)
        self.meter.expect(Stage.TRAINING, 0.0)
        return study

    def _take(self, study: Study, held: Branch) -> None:
        """Make a branch the verdict's: a new one, or in place of one with the same limit."""
        if held is study.verdict_branch:
            return
        new = _limit_facts(held)
        for index, other in enumerate(study.branches):
            known = _limit_facts(other) if other.status.carried else None
            if known is not None and new is not None and same_minimum(self.problem, known, new):
                study.branches[index] = replace(other, points=held.points, continuum=held.continuum, left=held.left)
                study.verdict = index
                return
        study.branches.append(held)
        study.verdict = len(study.branches) - 1

    @property
    def _most_starts(self) -> int:
        return self.training.starts or self.training.most_starts

    @property
    def _carried_depths(self) -> tuple[int, ...]:
        """The depths that are trained after the starts."""
        return self.depths if self.from_continuum else self.depths[1:]

    def _expect(self, branches: list[Branch], depths: Sequence[int]) -> None:
        """Expect the work of the depths that are left, by what the last one took."""
        carried = [branch for branch in branches if branch.status.carried]
        taken = [branch.latest.solution.evaluations for branch in carried if branch.points]
        self.meter.expect(Stage.TRAINING, self._expected(len(carried), depths, max(taken, default=0)))

    def _expected(self, branches: int, depths: Sequence[int], evaluations: float) -> float:
        """Return the work of some depths, after one of so many evaluations, of the continuum and of following back."""
        carried, smooth = self.fitter.carries_curvature, self.problem.smooth
        if self.training.depth_start is DepthStart.INDEPENDENT:
            per_branch = sum(depths) * STARTED * self._most_starts
        else:
            per_branch = of_depths(depths, evaluations, carried=carried, certified=smooth)
        if self.continuum is not None and not self.from_continuum:
            per_branch += of_continuum(carried=carried) + (of_certificate(STAGES) if smooth else 0.0)
        return branches * per_branch + of_following_back(self.depths)

    def _discrete_starts(self) -> list[Branch]:
        network = ResidualNetwork(self.problem, self.depths[0])
        groups, saddles = self._minima(network)
        branches = self._as_branches(groups, saddles, lambda point: Branch(0, {network.depth: point}))
        if self.training.depth_start is DepthStart.INDEPENDENT:
            for branch in branches[1:]:
                if branch.status is BranchStatus.PERSISTS:
                    branch.status = BranchStatus.NOT_CARRIED
        return branches

    def _continuum_starts(self) -> list[Branch]:
        def train(count: int) -> list[ContinuumFit]:
            fits: list[ContinuumFit] = []
            while len(fits) < count and not (fits and self.fitter.budget.out_of_time()):
                fits.append(self.fitter.continuum(self.generator))
            return fits

        groups, saddles = self._settled(train, self.fitter.settle_continuum, continuum_facts)
        return self._as_branches(groups, saddles, lambda fit: Branch(0, continuum=fit))

    def _as_branches(
        self, groups: list[list[_Point]], saddles: list[list[_Point]], of: Callable[[_Point], Branch]
    ) -> list[Branch]:
        """Return a branch for each distinct minimum, lowest first, and for each saddle that was left."""
        carried = select([group[0].solution.objective for group in groups], self.training.follow)
        for group, kept in zip(groups, carried, strict=True):
            _forget_curvature(group[1:] if kept else group)
        statuses = [BranchStatus.PERSISTS if kept or not self.depths else BranchStatus.NOT_CARRIED for kept in carried]
        statuses += [BranchStatus.SADDLE] * len(saddles)
        return [
            replace(of(group[0]), starts=len(group), status=status)
            for group, status in zip([*groups, *saddles], statuses, strict=True)
        ]

    def _minima(self, network: ResidualNetwork) -> tuple[list[list[BranchPoint]], list[list[BranchPoint]]]:
        def train(count: int) -> list[BranchPoint]:
            starts = [network.random(self.generator, self.training.start_scale) for _ in range(count)]
            points: list[BranchPoint] = []
            for batch in self.fitter.networks(network, starts, "starts", of_network(network.depth, STARTED)):
                points += batch
                if self.fitter.budget.out_of_time():
                    break
            return points

        return self._settled(train, partial(self.fitter.settle, phase="starts"), point_facts)

    def _settled(
        self,
        train: Callable[[int], list[_Point]],
        settle: Callable[[_Point], tuple[_Point, list[_Point]]],
        facts: Callable[[_Point], Facts],
    ) -> tuple[list[list[_Point]], list[list[_Point]]]:
        """Train every random start; group the minima, lowest first, and the saddles that were left.

        ``train`` trains so many, or fewer where the time limit is reached.
        One point of each group is certified for all: they are one point up to the exact symmetries.
        """
        trained: list[_Point] = []
        groups: list[list[_Point]] = []
        while not self._enough(groups, len(trained)):
            at_once = self._most_starts if self.training.starts is not None else _STARTS_AT_ONCE
            trained += train(min(at_once, self._most_starts - len(trained)))
            groups = cluster(self.problem, trained, facts) or [trained]
        settled: list[_Point] = []
        saddles: list[list[_Point]] = []
        for group in groups:
            point, left = settle(group[0])
            settled += [point, *group[1:]] if not left else [point] * len(group)
            saddles += [[saddle] * len(group) for saddle in left]
        return cluster(self.problem, settled, facts) or [settled], saddles

    def _enough(self, groups: list[list[_Point]], trained: int) -> bool:
        """Whether there are as many starts as were asked for, or another minimum is unlikely enough."""
        if trained and (trained >= self._most_starts or self.fitter.budget.out_of_time()):
            return True
        if self.training.starts is not None or not trained:
            return False
        return unseen_minima([len(group) for group in groups]).interval[1] <= self.training.most_unseen

    def _carry(self, branches: list[Branch], depth: int) -> None:
        network = ResidualNetwork(self.problem, depth)
        carried = _lowest_first(branches)
        if self.training.depth_start is DepthStart.INDEPENDENT:
            for branch in self._in_time(carried):
                lowest = self._minima(network)[0][0][0]
                with until(self.fitter.budget.last):
                    branch.points[depth] = nearest_image(lowest, prolong(branch.latest.parameters, depth))
        else:
            self._train(carried, network)
        merge_coinciding(self.problem, branches, lambda branch: point_facts(branch.points[depth]))

    def _in_time(self, carried: Sequence[Branch]) -> Iterator[Branch]:
        """Yield the first branch, and the others until the time is up; then those are not carried."""
        for index, branch in enumerate(carried):
            if index and self.fitter.budget.out_of_time():
                branch.status = BranchStatus.NOT_CARRIED
            else:
                yield branch

    def _train(self, branches: list[Branch], network: ResidualNetwork) -> None:
        """Train a network along every branch, from what it is transferred to there."""
        points = self.along.networks(branches, network)
        for branch in self._in_time(branches):
            branch.points[network.depth], left = self.fitter.settle(
                next(points), "discrete", nearby_eigenvector(branch, network)
            )
            if left:
                branch.bifurcate(left[0])

    def _carry_to_continuum(self, branches: list[Branch]) -> None:
        if self.continuum is None:
            return
        for branch in self._in_time(_lowest_first(branches)):
            fit = self.along.limit(branch)
            branch.continuum, left = self.fitter.settle_continuum(fit, nearby_eigenvector(branch, fit.flow))
            if left:
                branch.bifurcate(left[0])
        merge_coinciding(
            self.problem,
            branches,
            lambda branch: None if branch.continuum is None else continuum_facts(branch.continuum),
        )


def _lowest_first(branches: Iterable[Branch]) -> list[Branch]:
    """Return the branches that are carried: the time limit leaves the first."""
    return sorted((each for each in branches if each.status.carried), key=lambda each: each.last[1].objective)


def _forget_curvature(points: Iterable[StationaryPoint]) -> None:
    """Give up what was learnt of the Hessian beside minima that nothing is carried from."""
    for point in points:
        point.solution.inverse = None


def _limit_facts(branch: Branch) -> Facts | None:
    limit = branch.limit
    if limit is None:
        return None
    return point_facts(limit) if isinstance(limit, BranchPoint) else continuum_facts(limit)
