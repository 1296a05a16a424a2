"""Estimators in scikit-learn's manner: fit, predict, score; trained in this process or through a service."""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError(
        "the estimators need scikit-learn: pip install 'deeplimit[estimators]', or 'deeplimit[worker]' to train in this"
        " process as well",
        name="sklearn",
    )

from deeplimit.estimators.base import VerdictWarning
from deeplimit.estimators.classifier import DeepLimitClassifier
from deeplimit.estimators.regressor import DeepLimitRegressor
from deeplimit.estimators.study import ModelRow, Study

__all__ = ["DeepLimitClassifier", "DeepLimitRegressor", "ModelRow", "Study", "VerdictWarning"]
