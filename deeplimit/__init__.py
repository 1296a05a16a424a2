"""deeplimit, from Python: a client of the service, and the mathematics behind it.

What is named here is imported when it is first used, so that the client asks for httpx and numpy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeplimit.client import (
        AsyncClient,
        AsyncJob,
        Client,
        ClientError,
        Dataset,
        Job,
        JobFailed,
        Results,
        ServiceError,
        Unreachable,
    )
    from deeplimit.estimators import DeepLimitClassifier, DeepLimitRegressor
    from deeplimit.mathematics import (
        Block,
        Coarse,
        ContinuumOptions,
        DepthStart,
        Follow,
        Integrator,
        Problem,
        Quantity,
        Regime,
        Regularisation,
        Scaling,
        TrainedStudy,
        Training,
        Wanted,
        Weights,
        train,
        train_for_error,
    )
    from deeplimit.tracking import log_to_mlflow

    __version__: str

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Block",
    "Client",
    "ClientError",
    "Coarse",
    "ContinuumOptions",
    "Dataset",
    "DeepLimitClassifier",
    "DeepLimitRegressor",
    "DepthStart",
    "Follow",
    "Integrator",
    "Job",
    "JobFailed",
    "Problem",
    "Quantity",
    "Regime",
    "Regularisation",
    "Results",
    "Scaling",
    "ServiceError",
    "TrainedStudy",
    "Training",
    "Unreachable",
    "Wanted",
    "Weights",
    "__version__",
    "log_to_mlflow",
    "train",
    "train_for_error",
]

_CLIENT = (
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ClientError",
    "Dataset",
    "Job",
    "JobFailed",
    "Results",
    "ServiceError",
    "Unreachable",
)
_MATHEMATICS = (
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
)
_ESTIMATORS = ("DeepLimitClassifier", "DeepLimitRegressor")
_PLACES = (
    dict.fromkeys(_CLIENT, ("deeplimit.client", None))
    | dict.fromkeys(_MATHEMATICS, ("deeplimit.mathematics", "worker"))
    | dict.fromkeys(_ESTIMATORS, ("deeplimit.estimators", "estimators"))
    | {"log_to_mlflow": ("deeplimit.tracking", "mlflow")}
)
"""Where each name is, and the extra that it needs."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("deeplimit")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place, extra = _PLACES[name]
    try:
        value = getattr(import_module(place), name)
    except ModuleNotFoundError as missing:
        if extra is None or (missing.name or "").partition(".")[0] == __name__:
            raise
        message = f"deeplimit.{name} needs {missing.name}, which is not installed: pip install 'deeplimit[{extra}]'"
        raise ModuleNotFoundError(message, name=missing.name) from missing
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
