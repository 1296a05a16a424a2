"""Deep limits of residual networks: training at every depth, the continuum limit, and convergence diagnostics.

Source of the theory: M. Thorpe and Y. van Gennip, *Deep limits of residual neural networks*, Research in the
Mathematical Sciences 10:6 (2023).

>>> from deeplimit.mathematics import Problem, Regularisation, train
>>> result = train(Problem([[1.0], [-1.0]], [[2.0], [-2.0]]), depths=(8, 16, 32))
>>> result.diagnostics.verdict.converges
True
"""

from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.problem.learning_problem import Problem, Regularisation
from deeplimit.mathematics.problem.regime import Block, Integrator, Regime, Scaling, Weights
from deeplimit.mathematics.study.continuum_fit import ContinuumOptions
from deeplimit.mathematics.study.training import Coarse, DepthStart, Follow, Training
from deeplimit.mathematics.trained_study import TrainedStudy, train

__all__ = [
    "Block",
    "Coarse",
    "ContinuumOptions",
    "DepthStart",
    "Follow",
    "Integrator",
    "Problem",
    "Quantity",
    "Regime",
    "Regularisation",
    "Scaling",
    "TrainedStudy",
    "Training",
    "Wanted",
    "Weights",
    "train",
    "train_for_error",
]
