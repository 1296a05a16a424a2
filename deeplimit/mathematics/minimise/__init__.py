"""Minimising an objective: L-BFGS with a Wolfe line search, then Newton-CG where the tolerance asks for it."""

from deeplimit.mathematics.minimise.driver import minimise
from deeplimit.mathematics.minimise.solution import Budget, HistoryRow, Objective, Observer, Solution, Status
from deeplimit.mathematics.minimise.together import minimise_together

__all__ = ["Budget", "HistoryRow", "Objective", "Observer", "Solution", "Status", "minimise", "minimise_together"]
