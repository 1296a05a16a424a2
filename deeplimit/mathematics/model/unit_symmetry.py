"""Exact symmetries of two-layer blocks X + h V σ(K X + b), and comparing parameters up to them.

The w hidden units of all layers may change places together, and for odd σ their signs: rows of K, columns of V and
entries of b. The regulariser adds up squared increments from layer to layer, so one permutation serves every layer.
Coordinates beyond the input dimension start at zero in every sample and meet no σ, so any orthogonal map G of them
leaves the objective unchanged: K → K Gᵀ, V → G V, W → W Gᵀ. Both are found by least squares: units by an assignment,
coordinates by the orthogonal Procrustes problem (Schönemann 1966).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.problem.learning_problem import Problem

_ROUNDS: Final = 20
"""Units and coordinates are matched in turn; each round lowers the distance, and a few are enough."""


def unit_images(
    problem: Problem, reference: DiscreteParameters, other: DiscreteParameters
) -> Iterator[DiscreteParameters]:
    """Yield images of ``other`` near ``reference``: the nearest one where there are no coordinates to turn.

    Images that change what is fixed in the problem are left out.
    """
    signature = _unit_rows(reference, problem.input_dim), _unit_rows(other, problem.input_dim)
    first = _matched_units(problem, other, signature)
    for image in (first, other):
        current = image
        for _ in range(_ROUNDS if problem.state_dim > problem.input_dim else 1):
            turned = _turned(problem, reference, current)
            d = problem.state_dim
            following = _matched_units(problem, turned, (_unit_rows(reference, d), _unit_rows(turned, d)))
            if all(torch.equal(a, b) for a, b in zip(vars(following).values(), vars(current).values(), strict=True)):
                break
            current = following
        yield from (candidate for candidate in (image, current) if _keeps_fixed(problem, candidate))


def _unit_rows(p: DiscreteParameters, columns: int) -> Tensor:
    """Return what each hidden unit couples to among the first coordinates, (w, n (2·columns + 1))."""
    inner, outer = p.K[..., :columns].chunk(2, 1)
    return torch.cat([inner, outer, p.b.unsqueeze(-1)], 2).permute(1, 0, 2).reshape(p.b.shape[1], -1)


def _matched_units(problem: Problem, other: DiscreteParameters, signature: tuple[Tensor, Tensor]) -> DiscreteParameters:
    """Return ``other`` with its units in the order, and of the signs, that best match the reference's."""
    overlap = (signature[0] @ signature[1].T).double().cpu().numpy()
    odd = problem.activation.odd
    kept, flipped = _interchangeable(problem)
    as_they_are = np.where(kept, overlap, -np.inf)
    turned = np.where(flipped & odd, -overlap, -np.inf)
    score = np.maximum(as_they_are, turned)
    # An infinite cost is refused where it cannot be avoided; the identity always can.
    _, order = linear_sum_assignment(score, maximize=True)
    chosen = np.arange(len(order)), order
    signs = np.where(turned[chosen] > as_they_are[chosen], -1.0, 1.0)
    index = torch.as_tensor(order, device=problem.device)
    sign = torch.as_tensor(signs, dtype=other.b.dtype, device=problem.device)
    inner, outer = (part[:, index] * sign[:, None] for part in other.K.chunk(2, 1))
    return DiscreteParameters(torch.cat([inner, outer], 1), other.b[:, index] * sign, other.W, other.c)


def _interchangeable(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return which units may take each other's place, as they are and with their signs flipped, (w, w) each."""
    rows = [torch.zeros(problem.width, 1, dtype=problem.dtype, device=problem.device)]
    if "K" in problem.fixed:
        rows += problem.fixed["K"].chunk(2, 0)
    if "b" in problem.fixed:
        rows.append(problem.fixed["b"].unsqueeze(-1))
    fixed = torch.cat(rows, 1)
    kept = (fixed[:, None] == fixed[None]).all(-1)
    flipped = (fixed[:, None] == -fixed[None]).all(-1)
    return kept.cpu().numpy(), flipped.cpu().numpy()


def _turned(problem: Problem, reference: DiscreteParameters, other: DiscreteParameters) -> DiscreteParameters:
    """Return ``other`` with its padded coordinates turned to the reference's as well as an orthogonal map can."""
    first = problem.input_dim
    if first == problem.state_dim:
        return other
    scale = other.depth**-0.5
    stacked = [
        torch.cat([scale * p.K[..., first:].reshape(-1, p.K.shape[-1] - first), p.W[:, first:]])
        for p in (reference, other)
    ]
    left, _, right = torch.linalg.svd(stacked[1].T @ stacked[0])
    turn = left @ right
    K, W = other.K.clone(), other.W.clone()
    K[..., first:] = K[..., first:] @ turn
    W[:, first:] = W[:, first:] @ turn
    return DiscreteParameters(K, other.b, W, other.c)


def _keeps_fixed(problem: Problem, image: DiscreteParameters) -> bool:
    values = vars(image)
    return all(torch.equal(values[name], value.expand_as(values[name])) for name, value in problem.fixed.items())
