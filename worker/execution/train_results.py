"""Deeplimit → contract: models, histories and parameters."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from deeplimit.mathematics import Problem
from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.evaluation.metrics import metrics_of
from deeplimit.mathematics.minimise import Status
from deeplimit.mathematics.model.blocks import apart
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.problem.learning_problem import PARAMETERS
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.watch import OutOfTimeError, until
from service.contract.names import parameters_key
from service.contract.train import results as contract
from worker.execution.arrays import write_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deeplimit.mathematics.study.branches import Branch
    from deeplimit.mathematics.study.continuum_fit import ContinuumFit
    from service.contract.job import ArtifactRef
    from worker.execution.problems import PreparedProblem
    from worker.executor import JobInput

SOLUTION_FIELDS: Final = (
    "status", "objective", "gradient_norm", "iterations", "evaluations", "hessian_products", "wall_time_s",
)  # fmt: skip
"""What results take from a solution as it is."""
OF_AN_EVALUATION: Final = {"objective", "terminal_loss", "regularisation", "running_cost", "gradient_norm"}
"""What results have of an evaluation; null without one."""
NO_VALIDATION: Final = "no data were held out for validation (data.validation_fraction)"
NOT_EVALUATED: Final = (
    "the time limit was reached before the model was evaluated; raise limits.wall_time_s or train fewer depths. Its"
    " parameters are those that its training would have begun with"
)
"""Why nothing is known of a model but parameters that a coarser one was transferred to."""
NOT_MEASURED: Final = (
    "the time limit was reached before it was measured; raise limits.wall_time_s, or evaluate the model"
)


class TrainedModel:
    """One trained model on its way to the contract.

    Parameters
    ----------
    prepared
        What it was trained on.
    point
        The minimiser at one depth, or the continuum's.
    """

    def __init__(self, prepared: PreparedProblem, point: BranchPoint | ContinuumFit) -> None:
        self._prepared, self._problem = prepared, prepared.problem
        self.name, self._objective, self._solution = point.name, point.model, point.solution
        parameters = point.parameters
        if isinstance(point, BranchPoint):
            self._model: dict[str, Any] = {"kind": "discrete", "depth": point.depth}
            K, b = point.parameters.K, point.parameters.b
        else:
            self._model = {
                "kind": "continuum",
                "basis": point.flow.basis,
                "steps": point.flow.steps,
                "tolerance_reached": point.tolerance_reached if point.error_known else None,
                "limited": point.limited,
            }
            K, b = point.parameters.coefficients()
        tensors = {**apart(self._problem, K), "b": b, "W": parameters.W, "c": parameters.c}
        self._arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        self._parameters = parameters
        self._resolved_steps: int | None = None
        self._metrics: dict[str, Any] = {"train": None, "validation": None}
        self._withheld: dict[str, str] = {}
        if not self.evaluated:
            self._withheld = dict.fromkeys(("objective", "train", "validation"), NOT_EVALUATED)
        if prepared.validation is None:
            self._withheld["validation"] = NO_VALIDATION
        if self._model.get("tolerance_reached", 0.0) is None:
            self._withheld["tolerance_reached"] = NOT_MEASURED if self.evaluated else NOT_EVALUATED

    @property
    def evaluated(self) -> bool:
        """Whether there was the time to evaluate it."""
        return self._solution.evaluated

    @property
    def finished(self) -> bool:
        """Whether its training ended by itself, and not by the time limit."""
        return self._solution.status is not Status.TIME_LIMIT

    def measure(self, deadline: float | None) -> None:
        """Measure it on the training and the validation data, and seek how many steps resolve the continuum.

        What was not there by the deadline, in seconds of ``time.monotonic``, is withheld.
        """
        if not self.evaluated:
            return
        data = {"train": (self._problem.x, self._problem.y)}
        if self._prepared.validation is not None:
            inputs, targets = self._prepared.validation
            data["validation"] = self._problem.lift_inputs(inputs), self._problem.lift_targets(targets)
        for part, (x, y) in data.items():
            try:
                with until(deadline):
                    self._metrics[part] = self._measured(x, y)
            except OutOfTimeError:
                self._withheld[part] = NOT_MEASURED
        with suppress(OutOfTimeError), until(deadline):
            self._resolved_steps = self._resolving_steps(self._parameters)

    @property
    def usable(self) -> bool:
        """Whether anybody can do anything with it."""
        return self._solution.status is not Status.DIVERGED and math.isfinite(self._solution.objective)

    def write_parameters(self, job: JobInput) -> tuple[ArtifactRef, contract.ModelResult]:
        """Write the fitted parameters; return their object, and the model's entry in the results."""
        metadata = {
            "model": self.name,
            "input_dim": self._problem.input_dim,
            "state_dim": self._problem.state_dim,
            "standardisation": _standardisation(self._prepared),
            "basis": self._model.get("basis"),
            "steps": self._model.get("steps"),
            "resolved_steps": self._resolved_steps,
        }
        text = contract.ParametersMetadata.model_validate(metadata, from_attributes=True).model_dump_json()
        written, summary = write_arrays(job, parameters_key(self.name), self._arrays, {contract.METADATA_KEY: text})
        entry = {
            "model": self.name,
            **self._model,
            **{name: getattr(self._solution, name) for name in SOLUTION_FIELDS},
            **self._terms(self._solution.evaluation.terms),
            **self._metrics,
            **_withheld(self._withheld),
            "parameters": summary,
        }
        if not self.evaluated:
            entry |= dict.fromkeys(entry.keys() & OF_AN_EVALUATION)
        answer = contract.DiscreteResult if entry["kind"] == "discrete" else contract.ContinuumResult
        return written, answer.model_validate(entry, from_attributes=True)

    def _resolving_steps(self, parameters: DiscreteParameters | ContinuumParameters) -> int | None:
        """Return the steps that resolve a smooth flow on all data, training and validation, as an evaluation of them.

        Evaluations compute in double precision, whatever the training did.
        """
        problem, validation = self._problem, self._prepared.validation
        if isinstance(parameters, DiscreteParameters) or not problem.smooth:
            return None
        inputs = problem.x[:, : problem.input_dim].cpu().numpy()
        if validation is not None:
            inputs = np.concatenate([inputs, validation[0]])
        double = Problem(
            inputs,
            np.zeros(len(inputs)),
            activation=problem.activation.name,
            regime=problem.regime,
            state_dim=problem.state_dim,
        )
        parts = (*parameters.coefficients(), parameters.W, parameters.c)
        K, b, W, c = (part.to("cpu", torch.float64) for part in parts)
        flow = ContinuumParameters.from_coefficients(parameters.basis, K, b, W, c)
        return Fitted(self.name, double, flow).resolved[0]

    def losses(self) -> contract.ModelLosses:
        """Return the history of the fit."""
        rows = self._solution.history
        columns = {name: [row.terms[name] for row in rows] for name in self._solution.evaluation.terms}
        return contract.ModelLosses.model_validate(
            {
                "model": self.name,
                "objective": [row.objective for row in rows],
                "gradient_norm": [row.gradient_norm for row in rows],
                **self._terms(columns),
                **self._metrics,
                **_withheld({part: why for part, why in self._withheld.items() if part in self._metrics}),
            }
        )

    def _terms(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """Return the terms of E, at one iterate or at all, by the contract's names."""
        parts = {"terminal_loss": terms["terminal"], "regularisation": {name: terms[name] for name in PARAMETERS}}
        return parts | ({"running_cost": terms["running"]} if self._problem.regime.running_cost else {})

    def _measured(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
        return metrics_of(self._problem.loss, self._objective.output(self._solution.u, x), y)


def trained_models(prepared: PreparedProblem, branch: Branch, deadline: float | None = None) -> list[TrainedModel]:
    """Return every model of the verdict branch, by depth, the continuum last.

    They are measured until the deadline, in seconds of ``time.monotonic``: first those that are finished.
    """
    points: Sequence[BranchPoint | ContinuumFit] = [point for _, point in sorted(branch.points.items())]
    if branch.continuum is not None:
        points = [*points, branch.continuum]
    models = [TrainedModel(prepared, point) for point in points]
    for model in sorted(models, key=lambda model: not model.finished):
        model.measure(deadline)
    return models


def _withheld(reasons: dict[str, str]) -> dict[str, dict[str, str]]:
    return {"withheld": reasons} if reasons else {}


def _standardisation(prepared: PreparedProblem) -> dict[str, list[float] | None]:
    values = {name: getattr(prepared.standardisation, name, None) for name in contract.Standardisation.model_fields}
    return {name: None if value is None else value.tolist() for name, value in values.items()}
