"""How many threads a fit is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import torch

from deeplimit.mathematics.problem.learning_problem import Problem

WORTH_SHARING: Final = 2_000_000
"""S·d² from which a layer's product is shared between threads.

Below, threads gain nothing, and they lose much: they spin while they wait for each other, thousands of times a second,
and when anything else wants the cores, the thread that is waited for is not running. Measured on 2 cores with torch
2.13, beside one busy process: breast_cancer (S·d² = 5·10⁵) 6 s with one thread and 20 s with two; on idle cores 5.3 s
and 5.8 s. One gradient of digits (7·10⁶, n = 64) on idle cores: 0.18 s and 0.12 s.
"""


@contextlib.contextmanager
def suited_threads(problem: Problem) -> Iterator[int]:
    """Use one thread for small layers, and those that the process was given for large ones; give how many."""
    given = torch.get_num_threads()
    suited = given if problem.samples * problem.state_dim**2 >= WORTH_SHARING else 1
    torch.set_num_threads(suited)
    try:
        yield suited
    finally:
        torch.set_num_threads(given)
