"""Minimising an objective: L-BFGS with a Wolfe line search, then Newton-CG where the tolerance asks for it."""

from worker.deeplimit.minimise.driver import minimise
from worker.deeplimit.minimise.solution import Budget, HistoryRow, Objective, Observer, Solution, Status

__all__ = ["Budget", "HistoryRow", "Objective", "Observer", "Solution", "Status", "minimise"]
