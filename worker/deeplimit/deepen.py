"""One more depth for the verdict branch of a finished study."""

from __future__ import annotations

from worker.deeplimit.branches import Branch, BranchPoint
from worker.deeplimit.continuum import curvature_floor
from worker.deeplimit.minimise import Budget, minimise
from worker.deeplimit.progress import Meter, ProgressObserver
from worker.deeplimit.residual_network import DiscreteParameters, ResidualNetwork
from worker.deeplimit.study import Study
from worker.deeplimit.training import Training
from worker.deeplimit.transfer import prolong, recover, restrict


def deepen(
    study: Study,
    depth: int,
    training: Training,
    *,
    deadline: float | None = None,
    observer: ProgressObserver | None = None,
) -> BranchPoint:
    """Train the verdict branch at one more depth, and add it to the study.

    It starts from the continuum's recovery sequence, which is O(1/n) from the minimiser; without a continuum from the
    nearest depth.

    Parameters
    ----------
    depth
        Any; one that is there already is not trained again.
    deadline
        In seconds of ``time.monotonic``, or None.
    """
    branch = study.verdict_branch
    if depth in branch.points:
        return branch.points[depth]
    network = ResidualNetwork(study.problem, depth)
    budget = Budget(
        gradient_tolerance=training.gradient_tolerance,
        max_iterations=training.max_iterations,
        deadline=deadline,
        smooth=study.problem.smooth,
    )
    meter = Meter(observer, float(depth), training.gradient_tolerance)
    solution = minimise(
        network,
        network.encode(_start(branch, depth)),
        budget,
        meter.fit("discrete", f"discrete-{depth}", float(depth)),
        curvature_floor=curvature_floor(study.problem),
    )
    point = BranchPoint(network, network.parameters(solution.u), solution)
    branch.points[depth] = point
    branch.points = dict(sorted(branch.points.items()))
    study.depths = tuple(sorted({*study.depths, depth}))
    return point


def _start(branch: Branch, depth: int) -> DiscreteParameters:
    if branch.continuum is not None:
        return recover(branch.continuum.parameters, depth)
    coarser = [n for n in branch.points if n < depth]
    if coarser:
        return prolong(branch.points[max(coarser)].parameters, depth)
    return restrict(branch.points[min(branch.points)].parameters, depth)
