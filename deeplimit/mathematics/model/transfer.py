"""Between depths and the continuum: lifting, the recovery sequence, prolonging and restricting.

Nodes are t_i = i/n. The H¹ lift is piecewise linear through the nodes and constant beyond the last; prolongation
samples it. Repeating layers instead would double the seminorm.

In increment coordinates each of these maps is the adjoint of the one in the other direction, and none makes a function
larger: a piecewise-linear interpolant has the least ∫|A'|² of all functions through its nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from deeplimit.mathematics.model.coordinates import DiscreteIncrements, LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters, Flow
from deeplimit.mathematics.model.residual_network import DiscreteParameters, ResidualNetwork
from deeplimit.mathematics.problem.learning_problem import LAYERED

Model = ResidualNetwork | Flow
"""What has increment coordinates: a network or a discretised continuum model."""


def lift(parameters: DiscreteParameters) -> ContinuumParameters:
    """Return the H¹ lift of θ_n: R_∞(lift) = R_n(θ_n); W and c are copied."""
    basis = PiecewiseLinearIncrements(parameters.depth)
    K, b = _closed(parameters.K), _closed(parameters.b)
    return ContinuumParameters.from_coefficients(basis, K, b, parameters.W, parameters.c)


def recover(parameters: ContinuumParameters, depth: int) -> DiscreteParameters:
    """Return the recovery sequence's member of depth n: K and b sampled at i/n, W and c copied, nothing trained."""
    K, b = parameters.sample(_nodes(depth, parameters.K))
    return DiscreteParameters(K, b, parameters.W, parameters.c)


def prolong(parameters: DiscreteParameters, depth: int) -> DiscreteParameters:
    """Return the lift of θ_n sampled at a finer depth; ``restrict`` to n gives θ_n back when n divides ``depth``.

    Raises
    ------
    ValueError
        If the depth is not finer.
    """
    if depth < parameters.depth:
        raise ValueError(f"depth {depth} is not finer than {parameters.depth}")
    return recover(lift(parameters), depth)


def restrict(parameters: DiscreteParameters, depth: int) -> DiscreteParameters:
    """Return the lift of θ_n sampled at a coarser depth.

    Raises
    ------
    ValueError
        If the depth is not coarser.
    """
    if depth > parameters.depth:
        raise ValueError(f"depth {depth} is not coarser than {parameters.depth}")
    return recover(lift(parameters), depth)


class Transfer:
    """The map of directions from the flat coordinates of one model to those of another of the same problem.

    Between two networks it samples lifts, from a network to the continuum it projects them, and from the continuum to a
    network it samples. The map the other way is the adjoint, and neither makes a direction longer.
    """

    def __init__(self, source: Model, target: Model) -> None:
        self._same, self._length = source is target, target.coordinates.length
        self._between, self._tau = _between(source, target), source.problem.tau
        here, there = source.coordinates, target.coordinates
        self._parts = [
            (name, here.slices[name], here.shapes[name], there.slices[name], there.shapes[name]) for name in here.slices
        ]

    def __call__(self, v: Tensor) -> Tensor:
        """Return the image (length of the target,) of v (length of the source,)."""
        if self._same:
            return v.clone()
        out = v.new_empty(self._length)
        for name, part, shape, place, of_target in self._parts:
            if name in LAYERED:
                out[place].view(of_target).copy_(self._between(v[part].view(shape), self._tau(name)))
            else:
                out[place] = v[part]
        return out


def _between(source: Model, target: Model) -> Callable[[Tensor, float], Tensor]:
    """Return the map of the coordinates (q, ...) of one parameter, given its τ."""
    if isinstance(source, ResidualNetwork) and isinstance(target, ResidualNetwork):
        return lambda u, tau: _resampled(u, tau, source, target)
    if isinstance(source, Flow) and isinstance(target, Flow):
        return lambda u, _: source.basis.carried(u, target.basis)  # type: ignore[arg-type]  # one family a problem
    network, flow = (source, target) if isinstance(source, ResidualNetwork) else (target, source)
    assert isinstance(network, ResidualNetwork)  # noqa: S101 - for the type checker: one of each is left
    assert isinstance(flow, Flow)  # noqa: S101 - likewise
    if isinstance(network.layers, DiscreteIncrements) and isinstance(flow.basis, LegendreIncrements):
        gram = _gram(network, flow.basis)
        return lambda u, _: torch.cat([u[:1], _product(gram.T if network is source else gram, u[1:])])
    if network is source:
        return lambda u, tau: flow.basis.project(_closed(network.layers.apply(u, tau)), tau)
    times = _nodes(network.depth, flow.problem.x)
    return lambda u, tau: network.layers.coordinates(flow.basis.sample(u, tau, times), tau)


def _gram(network: ResidualNetwork, basis: LegendreIncrements) -> Tensor:
    """Return √n ∫ φ_k over the cell of each increment, (n − 1, p)."""
    antiderivative = basis.matrix(_nodes(network.depth, network.problem.x), 1.0)[:, 1:]
    return (antiderivative[1:] - antiderivative[:-1]) * math.sqrt(network.depth)


def _product(matrix: Tensor, values: Tensor) -> Tensor:
    """Return the (a, b) matrix times values (b, ...), shape (a, ...)."""
    return (matrix @ values.reshape(len(values), -1)).view(-1, *values.shape[1:])


def _resampled(u: Tensor, tau: float, source: ResidualNetwork, target: ResidualNetwork) -> Tensor:
    """Return the coordinates of the lift's values at the nodes of another depth."""
    n, m = source.depth, target.depth
    if isinstance(source.layers, DiscreteIncrements) and (m % n == 0 or n % m == 0):
        # A cell of the coarser depth is a whole number of the finer one's, and its increment shared out, or summed up.
        coarse, times = min(n, m), max(n, m) // min(n, m)
        inner = u[1:] if m >= n else u[1 : 1 + (m - 1) * times]
        if m >= n:
            out, last = u.new_empty((m, *u.shape[1:])), 1 + (coarse - 1) * times
            out[1:last].view(coarse - 1, times, *u.shape[1:]).copy_((inner * (1.0 / math.sqrt(times))).unsqueeze(1))
            out[last:] = 0.0
        else:
            out = u.new_empty((m, *u.shape[1:]))
            torch.sum(inner.view(coarse - 1, times, *u.shape[1:]), 1, out=out[1:]).mul_(1.0 / math.sqrt(times))
        out[0] = u[0]
        return out
    basis = PiecewiseLinearIncrements(n)
    nodes = basis.coordinates(_closed(source.layers.apply(u, tau)), 1.0)
    return target.layers.coordinates(basis.sample(nodes, 1.0, _nodes(m, u)), tau)


def _closed(nodes: Tensor) -> Tensor:
    """Return nodal values with that at 1, which is the last again."""
    return torch.cat([nodes, nodes[-1:]])


def _nodes(depth: int, like: Tensor) -> Tensor:
    return torch.arange(depth, dtype=like.dtype, device=like.device) / depth
