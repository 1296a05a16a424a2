"""A flow integrated by the Dormand–Prince method of order 8 with error control, restarted where K and b have kinks."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.model.blocks import apart
from deeplimit.mathematics.model.coordinates import PiecewiseLinearIncrements
from deeplimit.mathematics.watch import look

REFERENCE_TOLERANCE: Final = 1e-12
"""Relative and absolute, of a step."""


def reference_final(model: Fitted, x: Tensor) -> tuple[Tensor, int]:
    """Return X(1) (S, d) by Dormand–Prince 8(5,3) to `REFERENCE_TOLERANCE`, and the evaluations it took.

    A flow with kinks in K and b is integrated cell by cell. Where the method gives up the states are NaN.
    """
    flow, sigma, horizon = model.flow, model.problem.activation, model.problem.regime.horizon
    basis = flow.basis
    cells = basis.cells if isinstance(basis, PiecewiseLinearIncrements) else 1
    shape, evaluations = x.shape, 0
    state: NDArray[np.float64] = x.cpu().numpy().astype(np.float64).reshape(-1)
    for cell in range(cells):
        begin, end = cell / cells, (cell + 1) / cells

        def slope(t: float, flat: NDArray[np.float64], middle: float = 0.5 * (begin + end)) -> NDArray[np.float64]:
            look()
            # at a node the cell's own side counts: times are pulled into it by a rounding error
            inside = t + (middle - t) * 1e-14
            K, b = flow.sample(torch.tensor([inside], dtype=x.dtype, device=x.device))
            states = torch.as_tensor(flat, dtype=x.dtype, device=x.device).view(shape)
            layer = apart(model.problem, K[0])
            value = sigma(states @ layer["K"].T + b[0])
            if "V" in layer:
                value = value @ layer["V"].T
            return np.asarray((horizon * value).cpu().numpy().reshape(-1), np.float64)

        with np.errstate(over="ignore", invalid="ignore"):  # a flow that overflows is found out below
            path = solve_ivp(slope, (begin, end), state, "DOP853", rtol=REFERENCE_TOLERANCE, atol=REFERENCE_TOLERANCE)
        evaluations += int(path.nfev)
        if not path.success or not np.isfinite(path.y[:, -1]).all():
            return torch.full_like(x, math.nan), evaluations
        state = path.y[:, -1]
    return torch.as_tensor(state, dtype=x.dtype, device=x.device).view(shape), evaluations
