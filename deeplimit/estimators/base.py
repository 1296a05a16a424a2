"""What classifier and regressor share: parameters, a study of depths, and the choice of one by its evidence."""

from __future__ import annotations

import contextlib
import importlib
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from deeplimit.estimators.task import Settings, Task

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deeplimit.estimators.network import FittedNetwork
    from deeplimit.estimators.study import Study
    from deeplimit.estimators.trained import Trained, Trainer

Floats = npt.NDArray[np.float64]

LADDER: Final = (8, 16, 32)
"""Depths of ``depths="auto"``."""
DEEPEST: Final = 256
"""The deepest network that ``depths="auto"`` trains."""
_LEAST_DEPTH: Final = 2
_SEEDS: Final = 2**31
_PARAMETERS: Final = ("K", "b", "W", "c")


class VerdictWarning(UserWarning):
    """The study does not show that the networks converge, or no trained depth is as near to the limit as was wanted."""


class DeepLimitEstimator(BaseEstimator):
    """A residual network whose depth is chosen by comparing depths with their continuum limit.

    `DeepLimitClassifier` and `DeepLimitRegressor` say what the parameters are.
    """

    def __init__(
        self,
        depths: Literal["auto"] | int | Sequence[int] = "auto",
        *,
        gap: float = 0.01,
        activation: str = "tanh",
        state_dim: int | None = None,
        alpha: float | Mapping[str, float] = 1e-2,
        tau: float | Mapping[str, float] = 1.0,
        validation_fraction: float = 0.0,
        starts: int | Literal["auto"] = 4,
        max_iterations: int = 2000,
        wall_time_s: float = 3600.0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        random_state: int | np.random.RandomState | None = 0,
        service: Any = None,
    ) -> None:
        self.depths = depths
        self.gap = gap
        self.activation = activation
        self.state_dim = state_dim
        self.alpha = alpha
        self.tau = tau
        self.validation_fraction = validation_fraction
        self.starts = starts
        self.max_iterations = max_iterations
        self.wall_time_s = wall_time_s
        self.device = device
        self.random_state = random_state
        self.service = service

    def _fit(self, X: Floats, y: npt.NDArray[Any], loss: str) -> Self:
        """Train the study, choose the depth, and keep its network.

        Raises
        ------
        ValueError
            If a parameter is out of its range, the data do not make a problem, or nothing usable came out.
        """
        task = Task(X, y, loss, self._settings(), name=type(self).__name__)
        depths, begun = self._ladder(), time.monotonic()
        with self._trainer() as train:
            trained = train(task, depths)
            study = trained.study
            if isinstance(self.depths, str) and study.least_depth(self.gap) is None:
                predicted = study.predicted_depth(self.gap)
                left = task.settings.wall_time_s - (time.monotonic() - begun)
                if predicted is not None and depths[-1] < predicted <= DEEPEST and left > 0.0:
                    rest = replace(task.settings, wall_time_s=left)
                    trained = train(replace(task, settings=rest), [*depths, predicted])
            self._keep(trained)
        self._warn(trained.study)
        return self

    def _keep(self, trained: Trained) -> None:
        study = trained.study
        if (usable := study.deepest_usable()) is None:
            if "wall_time_s" in study.stopped():
                raise ValueError(f"wall_time_s={self.wall_time_s:g} came before any network was evaluated: raise it")
            raise ValueError("the objective is not finite at any start: scale the data, or choose other weights alpha")
        wanted = self.depths if isinstance(self.depths, int | np.integer) else study.least_depth(self.gap)
        self.depth_ = usable if wanted is None or not study.row(int(wanted)).usable else int(wanted)
        self.network_: FittedNetwork = trained.network(self.depth_)
        self.study_ = study
        self.converges_ = study.converges
        self.verdict_ = study.summary
        self.n_iter_ = study.row(self.depth_).iterations

    def _warn(self, study: Study) -> None:
        """Warn of what a user should know before she believes the fit."""
        for parameter, names in study.stopped().items():
            warnings.warn(
                f"{_listed(names)} stopped at {parameter}={getattr(self, parameter)} and may not be a minimum yet:"
                f" raise {parameter}, or alpha, which makes the problem easier.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if isinstance(self.depths, int | np.integer) and self.depth_ != self.depths:
            warnings.warn(
                f"depth {self.depths} cannot be used, as its fit ended as {study.row(int(self.depths)).status!r}"
                f" without a finite objective: depth {self.depth_} is used.",
                VerdictWarning,
                stacklevel=4,
            )
        if not isinstance(self.depths, int | np.integer) and study.least_depth(self.gap) is None:
            predicted = study.predicted_depth(self.gap)
            more = "" if predicted is None else f"; about {predicted} layers are predicted to be"
            warnings.warn(
                f"no trained depth is within gap={self.gap:g} of the limit, so depth {self.depth_}, the deepest, is"
                f" used{more}. Train deeper ones (depths=[...]), or allow a larger gap.",
                VerdictWarning,
                stacklevel=4,
            )
        if not study.converges:
            words = f"do the networks converge to their limit as depth grows? {study.summary}"
            warnings.warn(words, VerdictWarning, stacklevel=4)

    def _ladder(self) -> list[int]:
        """Return the depths to train, increasing.

        Raises
        ------
        ValueError
            If ``depths`` is none of what it may be.
        """
        if isinstance(self.depths, str):
            if self.depths != "auto":
                raise ValueError(f"depths must be 'auto', a number or a list of numbers, not {self.depths!r}")
            return list(LADDER)
        if isinstance(self.depths, int | np.integer):
            n = int(self.depths)
            found = [depth for depth in (n // 4, n // 2) if depth >= _LEAST_DEPTH] + [n]
        else:
            found = [int(depth) for depth in self.depths]
        if not found or found != sorted(set(found)) or found[0] < _LEAST_DEPTH:
            raise ValueError(f"depths must increase and be at least {_LEAST_DEPTH}, not {self.depths!r}")
        return found

    def _settings(self) -> Settings:
        """Return what the parameters say, with nothing left open.

        Raises
        ------
        ValueError
            If one is out of its range.
        """
        if not 0.0 < self.gap < math.inf:
            raise ValueError(f"gap must be a positive number, not {self.gap!r}")
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(_SEEDS)
        return Settings(
            activation=self.activation,
            state_dim=self.state_dim,
            alpha=_weights("alpha", self.alpha, _PARAMETERS, 1e-2),
            tau=_weights("tau", self.tau, _PARAMETERS[:2], 1.0),
            validation_fraction=self.validation_fraction,
            starts=None if self.starts == "auto" else int(self.starts),
            max_iterations=int(self.max_iterations),
            wall_time_s=float(self.wall_time_s),
            device=self.device,
            seed=int(seed),
        )

    def _trainer(self) -> AbstractContextManager[Trainer]:
        """Return what trains: this process, or the service.

        Raises
        ------
        ModuleNotFoundError
            If what it needs is not installed; the message says how to install it.
        """
        if self.service is not None:
            through_service = importlib.import_module("deeplimit.estimators.through_service")
            remote: AbstractContextManager[Trainer] = through_service.trainer_of(self.service)
            return remote
        try:
            in_process = importlib.import_module("deeplimit.estimators.in_process")
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError(
                f"training in this process needs {missing.name}: pip install 'deeplimit[worker]', or train through a"
                " service (service='http://...')",
                name=missing.name,
            ) from missing
        return contextlib.nullcontext(in_process.train_in_process)

    def _checked(self, X: Any) -> tuple[FittedNetwork, Floats]:
        """Return the fitted network and inputs to predict from, with the columns that `fit` saw."""
        check_is_fitted(self)
        return self.network_, validate_data(self, X, reset=False, dtype=np.float64)


def _weights(
    name: str, given: float | Mapping[str, float], parameters: Sequence[str], default: float
) -> dict[str, float]:
    """Return a weight for each parameter, from one number for all or a mapping of those that are not the default."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(parameters, float(given))
    if unknown := set(given) - set(parameters):
        raise ValueError(f"{name} has weights for {', '.join(parameters)}, not for {', '.join(sorted(unknown))}")
    return {parameter: float(given.get(parameter, default)) for parameter in parameters}


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
