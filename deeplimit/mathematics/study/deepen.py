"""One more depth for the verdict branch of a finished study."""

from __future__ import annotations

from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.model.transfer import prolong, recover, restrict
from deeplimit.mathematics.study.branch_certificates import nearby_eigenvector
from deeplimit.mathematics.study.branches import Branch, BranchPoint, StationaryPoint
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.study.progress import Meter, ProgressObserver, Stage
from deeplimit.mathematics.study.sweep import Study
from deeplimit.mathematics.study.training import Training


def add_depth(
    study: Study,
    depth: int,
    training: Training,
    *,
    deadline: float | None = None,
    observer: ProgressObserver | Meter | None = None,
) -> BranchPoint:
    """Train the verdict branch at one more depth, and add it to the study.

    It starts from the continuum's recovery sequence, which is O(1/n) from the minimiser; without a continuum from the
    nearest depth.

    Parameters
    ----------
    depth
        Any; one that is there already is not trained again.
    deadline
        In seconds of ``time.monotonic``; by default the training's wall time from now.
    """
    branch = study.verdict_branch
    if depth in branch.points:
        return branch.points[depth]
    network = ResidualNetwork(study.problem, depth)
    meter = Meter.of(observer)
    meter.expect(Stage.TRAINING, float(depth))
    fitter = Fitter(study.problem, training, meter, None, deadline)
    start, near = _start(branch, depth)
    point = fitter.network(network, network.encode(start), "discrete", near=near)
    point, left = fitter.settle(point, "discrete", nearby_eigenvector(branch, network))
    if left:
        branch.bifurcate(left[0])
    branch.points[depth] = point
    branch.points = dict(sorted(branch.points.items()))
    study.depths = tuple(sorted({*study.depths, depth}))
    return point


def _start(branch: Branch, depth: int) -> tuple[DiscreteParameters, StationaryPoint]:
    """Return where a depth starts from, and the minimum that this comes from."""
    if branch.continuum is not None:
        return recover(branch.continuum.parameters, depth), branch.continuum
    coarser = [n for n in branch.points if n < depth]
    near = branch.points[max(coarser) if coarser else min(branch.points)]
    return (prolong if coarser else restrict)(near.parameters, depth), near
