"""Exact symmetries of the objective, and comparing parameters up to them.

Coordinates beyond the input dimension start at zero in every sample, so permuting them leaves the objective unchanged,
and for odd σ so does flipping their signs: K → G K Gᵀ, b → G b, W → W Gᵀ. Two-layer blocks have others, in
`unit_symmetry`. Where the data have symmetries, mirror images are minimisers as well (`problem.data_symmetry`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import Final

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.model.unit_symmetry import unit_images
from deeplimit.mathematics.problem.data_symmetry import DataSymmetry
from deeplimit.mathematics.problem.learning_problem import Problem

EXACT_PADDING: Final = 4
"""Padded coordinates up to which the whole group is searched (4!·2⁴ = 384 elements); beyond, an assignment is."""

_Element = tuple[Tensor, Tensor]
"""A permutation of all d coordinates and their signs, (d,) each."""


def aligned(problem: Problem, reference: DiscreteParameters, other: DiscreteParameters) -> DiscreteParameters:
    """Return the image of ``other`` under the exact symmetries that is nearest to ``reference``.

    Where not `alignment_is_exhaustive` it is the nearest one that was found.
    """
    images = unit_images if problem.regime.two_layer else _coordinate_images
    best, nearest = other, distance(reference, other)
    for mirrored in _mirror_images(problem, other):
        for image in (mirrored, *images(problem, reference, mirrored)):
            candidate = distance(reference, image)
            if candidate < nearest:
                best, nearest = image, candidate
    return best


def _mirror_images(problem: Problem, other: DiscreteParameters) -> Iterator[DiscreteParameters]:
    """Yield the parameters and their images under the data's symmetries that leave what is fixed as it is."""
    yield other
    for symmetry in problem.data_symmetries:
        mirror = _Mirror(problem, symmetry)
        if all(torch.equal(mirror.image(name, value), value) for name, value in problem.fixed.items()):
            yield DiscreteParameters(**{name: mirror.image(name, value) for name, value in vars(other).items()})


class _Mirror:
    """A symmetry of the data as a map of parameters; padded coordinates stay."""

    def __init__(self, problem: Problem, symmetry: DataSymmetry) -> None:
        first, d = problem.input_dim, problem.state_dim
        index = (*symmetry.inputs, *range(first, d))
        self._two_layer = problem.regime.two_layer
        self._of_states = _element(problem, index, symmetry.input_signs + (1.0,) * (d - first))
        self._of_outputs = _element(problem, symmetry.outputs, symmetry.output_signs)

    def image(self, name: str, value: Tensor) -> Tensor:
        """Return the image of one parameter, of one layer or, with a leading axis, of all."""
        index, sign = self._of_outputs
        if name == "c":
            return value[index] * sign
        if name == "W":
            return _image(self._of_states, name, value[index] * sign[:, None])
        if self._two_layer:
            # The rows of K and of Vᵀ are hidden units', which do not move.
            return value if name == "b" else _image(self._of_states, "W", value)
        return _image(self._of_states, name, value)


def _element(problem: Problem, index: Sequence[int], signs: Sequence[float]) -> _Element:
    device = problem.device
    return torch.tensor(index, device=device), torch.tensor(signs, dtype=problem.dtype, device=device)


def alignment_is_exhaustive(problem: Problem) -> bool:
    """Whether `aligned` finds the nearest image for certain: then points that stay apart are different."""
    padded: int = problem.state_dim - problem.input_dim
    return padded == 0 if problem.regime.two_layer else padded <= EXACT_PADDING


def distance(left: DiscreteParameters, right: DiscreteParameters) -> float:
    """Return (mean_i ‖K_i − K'_i‖² + mean_i ‖b_i − b'_i‖² + ‖W − W'‖² + ‖c − c'‖²)^½ at one depth."""
    n = left.depth
    square = (left.K - right.K).square().sum() / n + (left.b - right.b).square().sum() / n
    square = square + (left.W - right.W).square().sum() + (left.c - right.c).square().sum()
    return float(square.sqrt())


def norm(parameters: DiscreteParameters) -> float:
    """Return the size of θ in the norm of ``distance``."""
    return distance(parameters, DiscreteParameters(*(torch.zeros_like(v) for v in vars(parameters).values())))


def _coordinate_images(
    problem: Problem, reference: DiscreteParameters, other: DiscreteParameters
) -> Iterator[DiscreteParameters]:
    """Yield the images under the padded coordinates' symmetries that leave what is fixed as it is."""
    for element in _group(problem, reference, other):
        if all(torch.equal(_image(element, name, value), value) for name, value in problem.fixed.items()):
            yield DiscreteParameters(**{name: _image(element, name, value) for name, value in vars(other).items()})


def _group(problem: Problem, reference: DiscreteParameters, other: DiscreteParameters) -> Iterator[_Element]:
    first, d = problem.input_dim, problem.state_dim
    padded = d - first
    if not padded:
        return
    index = torch.arange(d, device=problem.device)
    if padded > EXACT_PADDING:
        yield _assignment(problem, reference, other)
        return
    flips = list(product((1.0, -1.0), repeat=padded)) if problem.activation.odd else [(1.0,) * padded]
    for order in permutations(range(padded)):
        permuted = index.clone()
        permuted[first:] = torch.tensor(order, device=problem.device) + first
        for signs in flips:
            sign = torch.ones(d, dtype=problem.dtype, device=problem.device)
            sign[first:] = torch.tensor(signs, dtype=problem.dtype, device=problem.device)
            yield permuted, sign


def _assignment(problem: Problem, reference: DiscreteParameters, other: DiscreteParameters) -> _Element:
    """Match padded coordinates by what each couples to: the unpadded ones, the bias and the output."""
    first = problem.input_dim
    left, right = (_signature(p, first) for p in (reference, other))
    overlap = left @ right.T
    score = np.abs(overlap) if problem.activation.odd else overlap
    _, order = linear_sum_assignment(-score)
    index = torch.arange(problem.state_dim, device=problem.device)
    index[first:] = torch.as_tensor(order, device=problem.device) + first
    sign = torch.ones(problem.state_dim, dtype=problem.dtype, device=problem.device)
    if problem.activation.odd:
        chosen = np.where(overlap[np.arange(len(order)), order] < 0.0, -1.0, 1.0)
        sign[first:] = torch.as_tensor(chosen, dtype=problem.dtype, device=problem.device)
    return index, sign


def _signature(p: DiscreteParameters, first: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    n = p.depth
    scale = n**-0.5
    blocks = [
        p.K[:, first:, :first].permute(1, 0, 2).reshape(p.K.shape[1] - first, -1) * scale,
        p.K[:, :first, first:].permute(2, 0, 1).reshape(p.K.shape[1] - first, -1) * scale,
        p.b[:, first:].T * scale,
        p.W[:, first:].T,
    ]
    out: np.ndarray[tuple[int, int], np.dtype[np.float64]] = torch.cat(blocks, 1).double().cpu().numpy()
    return out


def _image(element: _Element, name: str, value: Tensor) -> Tensor:
    """Return the image of one parameter, of one layer or, with a leading axis, of all."""
    index, sign = element
    if name == "c":
        return value
    if name == "K":
        value = value[..., index, :] * sign[:, None]
    return value[..., index] * sign
