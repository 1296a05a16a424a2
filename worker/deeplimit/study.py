"""The multilevel study: starts at the coarsest depth, distinct minima carried to every depth and to the continuum.

The best start at the coarsest depth is often not the best limit, so every distinct minimum near the best becomes a
branch; the verdict branch is the one lowest in E_∞ (without a continuum: at the finest depth), and it is followed back
to the coarse depths by restriction where they turn out to be on another.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import torch
from torch import Tensor

from worker.deeplimit.branches import (
    Branch,
    BranchPoint,
    BranchStatus,
    cluster,
    continuum_facts,
    merge_coinciding,
    off_branch,
    point_facts,
    same_minimum,
    select,
)
from worker.deeplimit.continuum import ContinuumFit, ContinuumOptions, curvature_floor, fit_continuum
from worker.deeplimit.flow import ContinuumParameters
from worker.deeplimit.minimise import Budget, minimise
from worker.deeplimit.problem import Problem
from worker.deeplimit.progress import Meter, ProgressObserver
from worker.deeplimit.residual_network import DiscreteParameters, ResidualNetwork
from worker.deeplimit.saddles import settle
from worker.deeplimit.symmetry import distance, norm
from worker.deeplimit.training import DepthStart, Training
from worker.deeplimit.transfer import lift, prolong, recover, restrict

_FAR: Final = 0.25
_CONTINUUM_WORK: Final = 200.0
"""Expected work of a continuum fit, in layers: a few fits with 4 stages on 16 to 64 steps."""


@dataclass
class Study:
    """What was trained.

    Attributes
    ----------
    branches
        Every branch, in the order found; ``verdict`` is the index of the one that results are about.
    """

    problem: Problem
    depths: tuple[int, ...]
    branches: list[Branch] = field(default_factory=list)
    verdict: int = 0

    @property
    def verdict_branch(self) -> Branch:
        """The branch lowest in E_∞, or at the finest depth."""
        return self.branches[self.verdict]

    @property
    def starts(self) -> int:
        """How many starts there were; a saddle's led on to a minimum and are counted there."""
        return sum(branch.starts for branch in self.branches if branch.status is not BranchStatus.SADDLE)

    @property
    def verdict_starts(self) -> int:
        """How many starts led to the verdict branch, those of branches that merged into it included."""
        return sum(branch.starts for index, branch in enumerate(self.branches) if self._end(index) == self.verdict)

    def _end(self, index: int) -> int:
        while (into := self.branches[index].merged_into) is not None:
            index = into
        return index


def run_study(
    problem: Problem,
    depths: Sequence[int],
    continuum: ContinuumOptions | None,
    training: Training,
    observer: ProgressObserver | None = None,
) -> Study:
    """Train the networks of every depth and the continuum model along every branch.

    Parameters
    ----------
    depths
        Strictly increasing, each ≥ 2; empty for the continuum alone.

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
    return _Sweep(problem, ordered, continuum, training, observer).run()


class _Sweep:
    def __init__(
        self,
        problem: Problem,
        depths: tuple[int, ...],
        continuum: ContinuumOptions | None,
        training: Training,
        observer: ProgressObserver | None,
    ) -> None:
        self.problem, self.depths, self.continuum, self.training = problem, depths, continuum, training
        deadline = None if training.wall_time_s is None else time.monotonic() + training.wall_time_s
        self.budget = Budget(
            gradient_tolerance=training.gradient_tolerance,
            max_iterations=training.max_iterations,
            deadline=deadline,
            smooth=problem.smooth,
        )
        self.floor = curvature_floor(problem)
        self.generator = torch.Generator().manual_seed(training.seed)
        self.from_continuum = not depths or training.depth_start is DepthStart.RECOVERY
        self.starts_work = 2.0 * training.starts * (_CONTINUUM_WORK if self.from_continuum else depths[0])
        self.meter = Meter(observer, self._expected(1), training.gradient_tolerance)

    def run(self) -> Study:
        study = Study(self.problem, self.depths)
        study.branches = self._continuum_starts() if self.from_continuum else self._discrete_starts()
        self.meter.expect(self._expected(sum(b.status.carried for b in study.branches)))
        for depth in self.depths if self.from_continuum else self.depths[1:]:
            self._carry(study.branches, depth)
        if not self.from_continuum:
            self._carry_to_continuum(study.branches)
        study.verdict = min(range(len(study.branches)), key=lambda index: study.branches[index].level)
        if self.training.depth_start is not DepthStart.INDEPENDENT:
            self._follow_back(study.verdict_branch)
            self._flag(study.verdict_branch)
        return study

    def _expected(self, branches: int) -> float:
        per_branch = float(sum(self.depths[0 if self.from_continuum and self.depths else 1 :]))
        if self.training.depth_start is DepthStart.INDEPENDENT:
            per_branch *= 2.0 * self.training.starts
        per_branch += _CONTINUUM_WORK if self.continuum is not None and not self.from_continuum else 0.0
        return self.starts_work + branches * per_branch

    def _fit(self, network: ResidualNetwork, start: Tensor, phase: str, work: float) -> BranchPoint:
        observer = self.meter.fit(phase, f"discrete-{network.depth}", work)
        solution = minimise(network, start, self.budget, observer, curvature_floor=self.floor)
        self.meter.finish(work)
        return BranchPoint(network, network.parameters(solution.u), solution)

    def _discrete_starts(self) -> list[Branch]:
        network = ResidualNetwork(self.problem, self.depths[0])
        groups, saddles = self._minima(network)
        carried = select([group[0].solution.objective for group in groups], self.training.follow)
        if self.training.depth_start is DepthStart.INDEPENDENT:
            carried = [index == 0 for index in range(len(groups))]
        return [
            Branch(
                starts=len(group),
                points={network.depth: group[0]},
                status=BranchStatus.PERSISTS if kept else BranchStatus.NOT_CARRIED,
            )
            for group, kept in zip(groups, carried, strict=True)
        ] + [
            Branch(starts=len(group), points={network.depth: group[0]}, status=BranchStatus.SADDLE) for group in saddles
        ]

    def _minima(self, network: ResidualNetwork) -> tuple[list[list[BranchPoint]], list[list[BranchPoint]]]:
        """Train every random start of one depth; group the minima, lowest first, and the saddles that were left."""
        found: list[BranchPoint] = []
        for _ in range(self.training.starts):
            start = network.random(self.generator, self.training.start_scale)
            found.append(self._fit(network, start, "starts", 2.0 * network.depth))
            if self.budget.out_of_time():
                break
        groups = cluster(self.problem, found, point_facts) or [found]
        settled: list[BranchPoint] = []
        saddles: list[list[BranchPoint]] = []
        for group in groups:
            point, left = self._settle(group[0], "starts")
            settled += [point, *group[1:]] if not left else [point] * len(group)
            saddles += [[saddle] * len(group) for saddle in left]
        return cluster(self.problem, settled, point_facts) or [settled], saddles

    def _settle(
        self, point: BranchPoint, phase: str, before: BranchPoint | None = None
    ) -> tuple[BranchPoint, list[BranchPoint]]:
        fit = partial(self._fit, phase=phase, work=float(point.depth))
        return settle(point, fit, before=before, stop=self.budget.out_of_time)

    def _carry(self, branches: list[Branch], depth: int) -> None:
        network = ResidualNetwork(self.problem, depth)
        for branch in branches:
            if not branch.status.carried:
                continue
            if self.training.depth_start is DepthStart.INDEPENDENT:
                branch.points[depth] = self._minima(network)[0][0][0]
                continue
            if self.from_continuum and branch.continuum is not None:
                start = recover(branch.continuum.parameters, depth)
            else:
                start = prolong(branch.latest.parameters, depth)
            point = self._fit(network, network.encode(start), "discrete", float(depth))
            branch.points[depth], left = self._settle(point, "discrete", branch.points.get(self._before(depth)))
            if left:
                branch.bifurcated_at.append(depth)
                branch.status = BranchStatus.BIFURCATES
        merge_coinciding(self.problem, branches, lambda branch: point_facts(branch.points[depth]))

    def _before(self, depth: int) -> int:
        return max((n for n in self.depths if n < depth), default=depth)

    def _carry_to_continuum(self, branches: list[Branch]) -> None:
        if self.continuum is None:
            return
        for branch in branches:
            if branch.status.carried:
                branch.continuum = self._fit_continuum(lift(branch.latest.parameters), self.continuum)
        merge_coinciding(
            self.problem,
            branches,
            lambda branch: None if branch.continuum is None else continuum_facts(branch.continuum),
        )

    def _continuum_starts(self) -> list[Branch]:
        options = self.continuum or ContinuumOptions()
        found: list[ContinuumFit] = []
        for _ in range(self.training.starts):
            found.append(self._fit_continuum(self.generator, options))
            if self.budget.out_of_time():
                break
        groups = cluster(self.problem, found, continuum_facts) or [found]
        carried = select([group[0].solution.objective for group in groups], self.training.follow)
        return [
            Branch(
                starts=len(group),
                continuum=group[0],
                status=BranchStatus.PERSISTS if kept or not self.depths else BranchStatus.NOT_CARRIED,
            )
            for group, kept in zip(groups, carried, strict=True)
        ]

    def _fit_continuum(self, start: ContinuumParameters | torch.Generator, options: ContinuumOptions) -> ContinuumFit:
        observer = self.meter.fit("continuum", "continuum", _CONTINUUM_WORK)
        scale = self.training.start_scale
        fit = fit_continuum(self.problem, start, options, self.budget, observer, start_scale=scale)
        self.meter.finish(_CONTINUUM_WORK)
        return fit

    def _follow_back(self, branch: Branch) -> None:
        """Seek the branch again at depths that seem to be on another, from the next finer depth's restriction."""
        for depth in off_branch(branch):
            point = branch.points[depth]
            start = self._restricted(branch, depth)
            if start is None:
                continue
            followed = self._fit(point.network, point.network.encode(start), "follow_back", float(depth))
            nearer = distance(followed.parameters, start) < distance(point.parameters, start)
            same = same_minimum(self.problem, point_facts(point), point_facts(followed))
            if followed.solution.status.optimised and nearer and not same:
                branch.points[depth] = followed

    def _flag(self, branch: Branch) -> None:
        branch.left = [depth for depth in off_branch(branch) if not self._connected(branch, depth)]

    def _restricted(self, branch: Branch, depth: int) -> DiscreteParameters | None:
        finer = [n for n in branch.points if n > depth]
        if finer:
            return restrict(branch.points[min(finer)].parameters, depth)
        return recover(branch.continuum.parameters, depth) if branch.continuum is not None else None

    def _connected(self, branch: Branch, depth: int) -> bool:
        """Whether the point is nearer to the branch's restriction than a quarter of the parameters' size."""
        target = self._restricted(branch, depth)
        point = branch.points[depth].parameters
        return target is None or distance(point, target) <= _FAR * norm(point)
