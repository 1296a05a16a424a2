"""Minimisers that users would pick, each run until E is low enough or its time is over."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Any, Protocol

import torch
from scipy.optimize import minimize
from torch.nn.utils import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    Floats = npt.NDArray[np.float64]

CLOSE = 1e-6
"""Above its minimum, where E is low enough."""
MEMORY = 20
"""Pairs that every L-BFGS keeps, as ours does by default."""
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Learning rates of Adam."""
HEATS = ((0.05, 2), (0.2, 1), (1.0, 1))
"""Shares of the limit after which learning rates are compared, and how many go on."""
STALE = (5000, 1e-9)
"""Steps of Adam in which E must fall by so much: else it ends, thousands of times too slow to arrive."""
_IDLE = 3
"""Calls of PyTorch's L-BFGS that change nothing, after which it has ended."""


class Module(Protocol):
    """An objective as an ``nn.Module``: parameters, and E with their gradients."""

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """Return what is trained."""

    def evaluate(self) -> Tensor:
        """Return E, with its gradient in each parameter's ``grad``."""


class Over(Exception):  # noqa: N818 - ends a minimisation, and nothing is wrong
    """The race has ended."""


class Race:
    """Watches E: the race ends where it is at most ``target``, and pauses after ``limit`` CPU seconds.

    Attributes
    ----------
    trace
        Seconds and E at each evaluation that is lower than all before.
    """

    def __init__(self, target: float) -> None:
        self.trace: list[tuple[float, float]] = []
        self.evaluations = 0
        self.lowest = math.inf
        self._target, self._limit = target, 0.0
        self._begun = self._run = 0.0

    def run(self, call: Callable[[Race], None], limit: float) -> None:
        """Run a minimiser, or run it on, until it ends or the seconds of all its runs are ``limit``."""
        self._limit = limit
        self._begun = time.process_time() - self._run
        with contextlib.suppress(Over):
            call(self)
        self._run = time.process_time() - self._begun

    def see(self, objective: float) -> None:
        """Note an evaluation.

        Raises
        ------
        Over
            Once the race has ended or pauses.
        """
        self.evaluations += 1
        now = time.process_time() - self._begun
        if objective < self.lowest:
            self.lowest = objective
            self.trace.append((now, objective))
        if self.arrived or now >= self._limit:
            raise Over

    @property
    def arrived(self) -> bool:
        """Whether E was low enough."""
        return self.lowest <= self._target

    def reached(self, objective: float) -> float | None:
        """Return the seconds after which E was at most so high, or None."""
        return next((seconds for seconds, value in self.trace if value <= objective), None)


class Adam:
    """Adam with a constant learning rate; a call runs it on."""

    def __init__(self, module: Module, rate: float) -> None:
        self.module, self.rate = module, rate
        self._optimiser = torch.optim.Adam(module.parameters(), lr=rate)
        self._stale = False

    def __call__(self, race: Race) -> None:
        """Step until the race is over, or E hardly falls any more."""
        steps, least = STALE
        while not self._stale:
            before = race.lowest
            for _ in range(steps):
                race.see(float(self.module.evaluate()))
                self._optimiser.step()
            self._stale = before - race.lowest < least


def best_adam(modules: Callable[[], Module], target: float, limit: float) -> tuple[Race, Adam]:
    """Run Adam at every rate of `RATES`; the better ones go on, and the last one to the limit.

    Its own time counts alone, as if its rate had been known.
    """
    runs = [(Race(target), Adam(modules(), rate)) for rate in RATES]
    for share, kept in HEATS:
        for race, adam in runs:
            race.run(adam, share * limit)
        arrived = [run for run in runs if run[0].arrived]
        if arrived:
            return min(arrived, key=lambda run: run[0].trace[-1][0])
        runs = sorted(runs, key=lambda run: run[0].lowest)[:kept]
    return runs[0]


def torch_lbfgs(module: Module, race: Race) -> None:
    """Run PyTorch's L-BFGS with its strong Wolfe line search until it changes nothing any more."""
    optimiser = torch.optim.LBFGS(
        module.parameters(),
        history_size=MEMORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def closure() -> Tensor:
        objective = module.evaluate()
        race.see(float(objective))
        return objective

    idle, before = 0, math.inf
    while idle < _IDLE:
        optimiser.step(closure)  # type: ignore[no-untyped-call]  # PyTorch's has no types
        idle = 0 if race.lowest < before else idle + 1
        before = race.lowest


def scipy_lbfgs(evaluate: Callable[[Floats], tuple[float, Floats]], start: Floats, race: Race) -> None:
    """Run scipy's L-BFGS-B until it ends by itself."""

    def seen(u: Floats) -> tuple[float, Floats]:
        objective, gradient = evaluate(u)
        race.see(objective)
        return objective, gradient

    options = {"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": 10**8, "maxfun": 10**8}
    minimize(seen, start, jac=True, method="L-BFGS-B", options=options)  # type: ignore[call-overload]  # of any shape


def as_function(module: Module) -> tuple[Callable[[Floats], tuple[float, Floats]], Floats]:
    """Return a module's E with its gradient as a function of one array, and where it starts."""
    values = list(module.parameters())

    def evaluate(u: Floats) -> tuple[float, Floats]:
        vector_to_parameters(torch.from_numpy(u.copy()), values)
        objective = float(module.evaluate())
        gradient = torch.cat([value.grad.reshape(-1) for value in values if value.grad is not None])
        return objective, gradient.numpy()

    return evaluate, parameters_to_vector(values).detach().numpy().copy()


def outcome(race: Race, target: float, limit: float, own_minimum: Callable[[], float]) -> dict[str, object]:
    """Return what a row says of a race that has ended.

    Parameters
    ----------
    target
        `CLOSE` above the minimum that is sought.
    own_minimum
        The minimum that lies where the race ended; asked for only where it is another.
    """
    low = target - CLOSE if race.arrived else own_minimum()
    seconds, own = race.reached(target), race.reached(low + CLOSE)
    return {
        "arrived": seconds is not None,
        "seconds": limit if seconds is None else seconds,
        "arrived_at_own": own is not None,
        "own_seconds": limit if own is None else own,
        "evaluations": race.evaluations,
        "objective": race.lowest,
        "own_minimum": low,
    }


def ratios(row: dict[str, Any], ours: float) -> dict[str, float]:
    """Return both times of a row relative to ours."""
    return {"ratio": row["seconds"] / ours, "own_ratio": row["own_seconds"] / ours}
