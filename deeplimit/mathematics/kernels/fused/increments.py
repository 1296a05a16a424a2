"""Nodal values of K and b from their increments, and the gradient back, beside an evaluation.

In torch these are some thirty small calls, as dear as all layers of a shallow network.
"""

from __future__ import annotations

import math

from deeplimit.mathematics.kernels.fused.compiled import compiled
from deeplimit.mathematics.kernels.fused.loops import Floats
from deeplimit.mathematics.kernels.fused.sweep import sweep


@compiled
def spread(u: Floats, scales: Floats, sizes: tuple[int, int, int], K: Floats, b: Floats) -> None:
    """Write K (n, d, d) and b (n, d), padded, from u = (u_K, u_b, …); ``sizes`` are n, features and padded d.

    ``scales`` are those of u_0 and of the others for K, then the same for b: A_i = s_0 u_0 + s_1 Σ_{0 < j ≤ i} u_j.
    """
    n, features, d = sizes
    b_from = n * features * features
    for i in range(n):
        for r in range(d):
            for column in range(d):
                at = (i * d + r) * d + column
                if r >= features or column >= features:
                    K[at] = 0.0
                elif i == 0:
                    K[at] = scales[0] * u[r * features + column]
                else:
                    K[at] = K[at - d * d] + scales[1] * u[(i * features + r) * features + column]
            at = i * d + r
            if r >= features:
                b[at] = 0.0
            elif i == 0:
                b[at] = scales[2] * u[b_from + r]
            else:
                b[at] = b[at - d] + scales[3] * u[b_from + i * features + r]


@compiled
def gather(
    out: Floats,
    u: Floats,
    scales: Floats,
    weights: Floats,
    sizes: tuple[int, int, int],
    gradient: Floats,
    terms: Floats,
) -> None:
    """Write the gradient in u = (u_K, u_b, W, c), with 2α u, and α‖·‖² of the four parts.

    ``out`` is a sweep's: gradients by padded K and b, by W and c, and two sums; what it has for K and b is summed up.
    """
    n, features, d = sizes
    square = features * features
    b_from, b_out = n * square, n * d * d
    rest_from, rest_out = b_from + n * features, b_out + n * d
    rest = len(u) - rest_from
    outputs = rest // (features + 1)
    squares_K, squares_b, squares_W, squares_c = 0.0, 0.0, 0.0, 0.0
    for i in range(n - 1, -1, -1):
        scale_K, scale_b = (scales[1], scales[3]) if i else (scales[0], scales[2])
        layer_K, layer_b = 0.0, 0.0  # summed by layers first, which rounds less
        for r in range(features):
            for column in range(features):
                at, to = (i * d + r) * d + column, (i * features + r) * features + column
                if i < n - 1:
                    out[at] += out[at + d * d]
                gradient[to] = scale_K * out[at] + 2.0 * weights[0] * u[to]
                layer_K += u[to] * u[to]
            at, to = b_out + i * d + r, b_from + i * features + r
            if i < n - 1:
                out[at] += out[at + d]
            gradient[to] = scale_b * out[at] + 2.0 * weights[1] * u[to]
            layer_b += u[to] * u[to]
        squares_K += layer_K
        squares_b += layer_b
    for index in range(rest):
        value = u[rest_from + index]
        weight = weights[2] if index < outputs * features else weights[3]
        gradient[rest_from + index] = out[rest_out + index] + 2.0 * weight * value
        if index < outputs * features:
            squares_W += value * value
        else:
            squares_c += value * value
    terms[0] = weights[0] * squares_K
    terms[1] = weights[1] * squares_b
    terms[2] = weights[2] * squares_W
    terms[3] = weights[3] * squares_c


@compiled
def objectives(
    codes: tuple[int, int],
    sizes: tuple[int, int, int, int, int],
    h: float,
    running: float,
    tableau: tuple[Floats, Floats],
    increments: tuple[Floats, Floats],
    rows: Floats,
    x: Floats,
    y: Floats,
    samples: int,
    room: tuple[Floats, Floats, Floats, Floats],
    terms: Floats,
    gradients: Floats,
) -> None:
    """Fill the rows of ``gradients`` and ``terms`` for many u, the rows (B, length), one after the other.

    ``sizes`` are a sweep's, ``increments`` scales and weights, and ``room`` is for K, b, and a sweep's work and sums.
    Terms are terminal loss, running cost, the four penalties, and the norm of the gradient.
    """
    n, d, features, outputs = sizes[:4]
    scales, weights = increments
    K, b, work, out = room
    last = rows.shape[1] - outputs
    for one in range(len(rows)):
        u, gradient = rows[one], gradients[one]
        spread(u, scales, (n, features, d), K, b)
        parameters = (K, b, u[last - outputs * features : last], u[last:])
        sweep(codes, sizes, h, running, tableau, parameters, x, y, (0, samples, samples, True), work, out)
        gather(out, u, scales, weights, (n, features, d), gradient, terms[one, 2:6])
        terms[one, 0] = out[-2] / samples
        terms[one, 1] = running * out[-1]
        square = 0.0
        for entry in gradient:
            square += entry * entry
        terms[one, 6] = math.sqrt(square)
