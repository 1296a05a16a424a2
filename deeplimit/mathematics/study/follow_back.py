"""Holding a branch together: every depth is on the branch of the limit, and the limit is the lowest that is at hand.

A depth may have been trained into another minimum than the one that the limit leads back to. Then its orders are about
two minima, and say nothing of convergence. And what was trained at one depth may lead to a lower limit than the branch
has: E_∞(lift of θ_n) < E_∞ says so at once, and a minimum of E_n below the branch's is worth the attempt.
"""

from __future__ import annotations

import math
from typing import Final

from deeplimit.mathematics.minimise import Solution
from deeplimit.mathematics.model.transfer import lift, prolong
from deeplimit.mathematics.study.branches import EQUAL, Branch, BranchPoint, point_facts, same_minimum
from deeplimit.mathematics.study.continuation import (
    Anchor,
    at_lift,
    at_recovery,
    continue_to,
    minimum_from,
    rises_like_a_parabola,
    same_basin,
    transferred,
)
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from deeplimit.mathematics.study.fitter import Fitter
from deeplimit.mathematics.watch import OutOfTimeError, look, until

_MOST_ROUNDS: Final = 4
"""Lower limits that are gone to, one after the other."""


def hold_together(branch: Branch, fitter: Fitter) -> Branch:
    """Follow a branch from its limit, or without a continuum from the finest depth, to every coarser depth.

    What is reached at a depth replaces its point where that is another minimum. A point below what replaced it is
    followed to its own limit, and where this is lower, a branch from there is followed in its place.
    Depths that the branch does not reach are noted in ``left``; that the time was up before that was known, in
    ``followed``.

    Returns
    -------
    Branch
        The one that was given, or a new one, which no start led to, with a lower limit.
    """
    try:
        with until(fitter.budget.deadline):
            for _ in range(_MOST_ROUNDS):
                limit = branch.limit
                if limit is None or not limit.solution.status.optimised:
                    break
                before = dict(branch.points)
                _follow(branch, limit, fitter)
                look()  # a minimisation that was broken off does not tell what it would have led to
                lower = _lower_limit(branch, before, fitter)
                if lower is None:
                    break
                branch = lower
    except OutOfTimeError:
        branch.followed = False
    return branch


def _follow(branch: Branch, limit: Anchor, fitter: Fitter) -> None:
    """Go from the limit to every coarser depth; beyond a depth that is not reached there is no branch to follow."""
    # Coarser than a model at which a saddle was left, a point is of the branch that bifurcated there.
    ends = [point.depth if isinstance(point, BranchPoint) else math.inf for point in branch.left_saddles.values()]
    bifurcation, anchor = max(ends, default=0), limit
    branch.left = []
    for depth in sorted(branch.points, reverse=True):
        point = branch.points[depth]
        if point is limit:
            continue
        if branch.left:
            branch.left.append(depth)
            continue
        held = point.solution.status.optimised and _held(point, anchor, limit)
        if held and depth >= bifurcation:
            anchor = point
            continue
        followed = continue_to(anchor, depth, fitter)
        if followed is not None and not same_minimum(point.network.problem, point_facts(point), point_facts(followed)):
            branch.points[depth] = anchor = followed
        elif followed is not None and depth >= bifurcation:
            anchor = point
        else:
            _go_lower(branch, limit, depth, fitter)
            branch.left.append(depth)


def _held(point: BranchPoint, anchor: Anchor, limit: Anchor) -> bool:
    """Whether a depth's point is in the basin that the limit leads to, at once or by the next finer depth."""
    network = point.network
    if isinstance(limit, ContinuumFit):
        # E_n at the recovery sequence is one of the diagnostics as well.
        start, at = network.encode(transferred(limit, point.depth)), at_recovery(point, limit)
        if rises_like_a_parabola(start, point.solution, at):
            return True
        if anchor is limit:
            return same_basin(network, start, point.solution, at)
    return same_basin(network, network.encode(transferred(anchor, point.depth)), point.solution)


def _go_lower(branch: Branch, limit: Anchor, depth: int, fitter: Fitter) -> None:
    """Replace the point of a depth that the branch does not reach, where the limit's transfer is below it."""
    point = branch.points[depth]
    start = transferred(limit, depth)
    if point.network.value(point.network.encode(start)) < point.solution.objective - _margin(point.solution):
        lower = minimum_from(start, point.network, fitter)
        if lower.solution.objective < point.solution.objective:
            branch.points[depth] = lower


def _lower_limit(branch: Branch, before: dict[int, BranchPoint], fitter: Fitter) -> Branch | None:
    """Return a branch with a lower limit that one of the points, or a point that was replaced, leads to, or None."""
    limit = branch.limit
    if limit is None:
        return None
    candidates = {id(point): point for point in (*before.values(), *branch.points.values()) if point is not limit}
    margin = _margin(limit.solution)
    for point in sorted(candidates.values(), key=lambda candidate: candidate.depth):
        if not math.isfinite(point.solution.objective):
            continue
        now = branch.points[point.depth].solution
        off = point.depth in branch.left or point is not branch.points[point.depth]
        low = off and point.solution.objective <= now.objective + _margin(now)
        if not low and _transferred_value(point, limit) >= limit.solution.objective - margin:
            continue
        found = _limit_from(point, limit, fitter)
        if found.solution.status.optimised and found.solution.objective < limit.solution.objective - margin:
            points = branch.points | before
            if isinstance(found, ContinuumFit):
                return Branch(0, points, found)
            return Branch(0, points | {found.depth: found})
    return None


def _transferred_value(point: BranchPoint, limit: Anchor) -> float:
    """Return E of the limit's model at what a coarser point stands for."""
    if isinstance(limit, ContinuumFit):
        return at_lift(point, limit)
    return limit.network.value(limit.network.encode(prolong(point.parameters, limit.depth)))


def _limit_from(point: BranchPoint, limit: Anchor, fitter: Fitter) -> Anchor:
    """Minimise the limit's model from what a coarser point stands for."""
    if isinstance(limit, ContinuumFit):
        return fitter.settle_continuum(fitter.continuum(lift(point.parameters), near=point))[0]
    return minimum_from(prolong(point.parameters, limit.depth), limit.network, fitter)


def _margin(solution: Solution) -> float:
    """Return what E must fall by to be lower, and not the same minimum less sharply known."""
    return max(EQUAL * abs(solution.objective), 2.0 * solution.error_estimate)
