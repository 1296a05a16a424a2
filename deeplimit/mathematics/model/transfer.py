"""Between depths and the continuum: lifting, the recovery sequence, prolonging and restricting.

Nodes are t_i = i/n. The H¹ lift is piecewise linear through the nodes and constant beyond the last; prolongation
samples it. Repeating layers instead would double the seminorm.
"""

from __future__ import annotations

import torch

from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters


def lift(parameters: DiscreteParameters) -> ContinuumParameters:
    """Return the H¹ lift of θ_n: R_∞(lift) = R_n(θ_n); W and c are copied."""
    basis = PiecewiseLinearIncrements(parameters.depth)
    K, b = (torch.cat([nodes, nodes[-1:]]) for nodes in (parameters.K, parameters.b))
    return ContinuumParameters.from_coefficients(basis, K, b, parameters.W, parameters.c)


def recover(parameters: ContinuumParameters, depth: int) -> DiscreteParameters:
    """Return the recovery sequence's member of depth n: K and b sampled at i/n, W and c copied, nothing trained."""
    t = torch.arange(depth, dtype=parameters.K.dtype, device=parameters.K.device) / depth
    K, b = parameters.sample(t)
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
