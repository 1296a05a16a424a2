"""Following a branch back to the coarse depths, where the lowest minimum may have been another one."""

from __future__ import annotations

import math
from typing import Final

from worker.deeplimit.model.residual_network import DiscreteParameters
from worker.deeplimit.model.symmetry import distance, norm
from worker.deeplimit.model.transfer import recover, restrict
from worker.deeplimit.study.branches import Branch, BranchPoint, off_branch, point_facts, same_minimum
from worker.deeplimit.study.fitter import Fitter

_FAR: Final = 0.25
"""A point is on the branch when it is nearer to its restriction than this share of the parameters' size."""


def follow_to_coarse(branch: Branch, fitter: Fitter, *, prolonged: bool) -> None:
    """Seek the branch again at depths that seem to be on another, from the next finer depth's restriction.

    The minimum reached from there replaces the depth's point where it is nearer to the branch; depths that stay away
    from it are noted in ``branch.left``.

    Parameters
    ----------
    prolonged
        Whether every depth was trained from the one before it. A depth whose point is reached again from the next finer
        one then leads there and back, and is on the branch however far it is.
    """
    replaced, held = set[int](), set[int]()
    for depth in off_branch(branch):
        point, start = branch.points[depth], _restricted(branch, depth)
        if start is None:
            continue
        followed = fitter.network(point.network, point.network.encode(start), "follow_back")
        followed, _ = fitter.settle(followed, "follow_back")
        nearer = distance(followed.parameters, start) < distance(point.parameters, start)
        same = same_minimum(point.network.problem, point_facts(point), point_facts(followed))
        if same and prolonged:
            held.add(depth)
        if followed.solution.status.optimised and nearer and not same:
            branch.points[depth] = followed
            replaced.add(depth)
    branch.left = _away(branch, replaced, held)


def _away(branch: Branch, replaced: set[int], held: set[int]) -> list[int]:
    """Return the depths, fine to coarse, that are on another branch, or hang together with one that is.

    Those coarser than a model at which a saddle was left are on what bifurcated there, unless they were ``replaced``.
    """
    suspects, away = off_branch(branch), list[int]()
    ends = [point.depth if isinstance(point, BranchPoint) else math.inf for point in branch.left_saddles.values()]
    begin = max(ends, default=0)
    for depth in sorted(branch.points, reverse=True):
        finer = min((n for n in branch.points if n > depth), default=depth)
        if depth < begin and depth not in replaced:
            away.append(depth)
        elif finer in away:
            point, limit = branch.points[depth].parameters, _limit(branch, depth)
            other = restrict(branch.points[finer].parameters, depth)
            if distance(point, other) < distance(point, limit):
                away.append(depth)
        elif depth in suspects and depth not in held and not _connected(branch, depth):
            away.append(depth)
    return away


def _limit(branch: Branch, depth: int) -> DiscreteParameters:
    if branch.continuum is not None:
        return recover(branch.continuum.parameters, depth)
    return restrict(branch.points[max(branch.points)].parameters, depth)


def _restricted(branch: Branch, depth: int) -> DiscreteParameters | None:
    finer = [n for n in branch.points if n > depth]
    if finer:
        return restrict(branch.points[min(finer)].parameters, depth)
    return recover(branch.continuum.parameters, depth) if branch.continuum is not None else None


def _connected(branch: Branch, depth: int) -> bool:
    target, point = _restricted(branch, depth), branch.points[depth].parameters
    return target is None or distance(point, target) <= _FAR * norm(point)
