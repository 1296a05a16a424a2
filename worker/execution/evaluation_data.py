"""Contract → deeplimit: what an evaluation is given: trained models, and data in the models' units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

from deeplimit.mathematics.evaluation.fitted import Fitted
from deeplimit.mathematics.model.blocks import together
from deeplimit.mathematics.model.coordinates import LegendreIncrements, PiecewiseLinearIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.residual_network import DiscreteParameters
from deeplimit.mathematics.problem.datasets import Dataset, Standardisation
from service.contract.evaluate.resolved import ResolvedBuiltinEvaluation, ResolvedDatasetEvaluation, ResolvedOwnData
from service.contract.names import DATA, trained_key
from service.contract.request import Device
from service.contract.train.request import Dtype
from service.contract.train.results import LegendreBasis, ParametersMetadata
from worker.execution.arrays import read_arrays
from worker.execution.problems import builtin_dataset, dataset_for, dataset_of, problem_of
from worker.execution.provenance import samples_sha256
from worker.executor import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from deeplimit.mathematics import Problem
    from deeplimit.mathematics.model.coordinates import ContinuumBasis
    from service.contract.evaluate.resolved import ResolvedEvaluateSpec
    from service.contract.train.resolved import ResolvedTrainSpec
    from worker.executor import JobInput

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StoredModel:
    """A trained model as its parameters file has it."""

    name: str
    metadata: ParametersMetadata
    arrays: dict[str, npt.NDArray[np.generic]]

    @property
    def outputs(self) -> int:
        """Numbers of one prediction, m."""
        return len(self.arrays["c"])

    @property
    def standardisation(self) -> Standardisation | None:
        """How the data it was trained on were scaled."""
        values: dict[str, Any] = {
            name: None if value is None else np.array(value) for name, value in self.metadata.standardisation
        }
        return None if values["mean"] is None else Standardisation(**values)

    def fitted(self, problem: Problem) -> Fitted:
        """Rebuild the model."""
        part = {name: problem.tensor(np.asarray(value, np.float64)) for name, value in self.arrays.items()}
        K, b, W, c = together(part["K"], part.get("V")), part["b"], part["W"], part["c"]
        basis = self.metadata.basis
        if basis is None:
            return Fitted(self.name, problem, DiscreteParameters(K, b, W, c))
        increments: ContinuumBasis = (
            LegendreIncrements(basis.degree)
            if isinstance(basis, LegendreBasis)
            else PiecewiseLinearIncrements(basis.cells)
        )
        parameters = ContinuumParameters.from_coefficients(increments, K, b, W, c)
        return Fitted(self.name, problem, parameters, self.metadata.steps)


@dataclass(frozen=True)
class EvaluationData:
    """Samples in the units of the models that are evaluated on them.

    Parameters
    ----------
    problem
        Learning problem of these samples, in float64 whatever the models were trained in; targets that are not there
        are made up in it.
    targets
        Targets in the form that the loss takes, or None.
    scale
        (m,) factors from scaled targets back to the user's units, or None.
    standardisation
        How the training's data were scaled, the same for all models of one job, or None.
    unit
        (f,) standard deviations of the input columns in the models' units.
    sha256
        Of the samples as they came, by `samples_sha256`; without targets that of the inputs.
    """

    problem: Problem
    targets: torch.Tensor | None
    scale: torch.Tensor | None
    standardisation: Standardisation | None
    unit: torch.Tensor
    sha256: str


def read_model(job: JobInput, name: str) -> StoredModel:
    """Read the file of a trained model that the job was given."""
    content = job.read(trained_key(name))
    return StoredModel(name, ParametersMetadata.of_file(content), load(content))


def load_evaluation_data(job: JobInput, spec: ResolvedEvaluateSpec, model: StoredModel) -> EvaluationData:
    """Load the data and scale them as the models' were.

    Raises
    ------
    UserError
        If the numbers do not make a problem.
    """
    loss = spec.trained.objective.loss.value
    data, with_targets = _data(job, spec, loss)
    scaling = model.standardisation
    inputs, targets = data.inputs, np.asarray(data.targets)
    try:
        if scaling is not None:
            inputs = scaling.inputs(inputs)
            if with_targets and loss == "squared_error":
                targets = scaling.targets(targets.astype(np.float64).reshape(len(inputs), -1))
        if loss == "logistic" and data.classes is not None:
            targets = 2 * targets - 1
        if not with_targets:
            targets = _made_up(len(inputs), model.outputs, loss)
        classes = model.outputs if loss == "cross_entropy" else None
        problem = problem_of(job, _in_float64(spec), inputs, targets, classes)
    except ValueError as error:
        raise UserError("unusable_data", str(error)) from error
    scale = None if scaling is None or scaling.target_scale is None else problem.tensor(scaling.target_scale)
    if spec.trained.data.standardise:
        unit = np.ones(inputs.shape[1])
    else:
        deviation = inputs.std(axis=0)
        unit = np.where(deviation > 0.0, deviation, 1.0)
    sha256 = samples_sha256(data.inputs, data.targets if with_targets else np.zeros(0))
    return EvaluationData(problem, problem.y if with_targets else None, scale, scaling, problem.tensor(unit), sha256)


def _data(job: JobInput, spec: ResolvedEvaluateSpec, loss: str) -> tuple[Dataset, bool]:
    source = spec.data
    if isinstance(source, ResolvedOwnData):
        return dataset_of(job, spec.trained), True
    if isinstance(source, ResolvedBuiltinEvaluation):
        return builtin_dataset(source), True
    arrays = read_arrays(job, DATA)
    inputs, targets = arrays["inputs"], arrays.get("targets")
    if isinstance(source, ResolvedDatasetEvaluation) and source.columns is not None:
        inputs = _arranged(inputs, source.columns)
    if targets is None:
        return Dataset(inputs.astype(np.float64), np.zeros(len(inputs)), None), False
    if isinstance(source, ResolvedDatasetEvaluation) and source.classes is not None:
        targets = np.array(source.classes, np.float64)[targets.astype(np.int64)]
    return dataset_for(loss, inputs, targets), True


def _arranged(inputs: npt.NDArray[np.generic], columns: Sequence[int | None]) -> Floats:
    """Return (S, f) in the columns that the models take; what is None is a text that does not occur: zeros."""
    arranged = np.zeros((len(inputs), len(columns)))
    for place, column in enumerate(columns):
        if column is not None:
            arranged[:, place] = inputs[:, column]
    return arranged


def _made_up(samples: int, outputs: int, loss: str) -> Floats:
    """Return targets of the right shape where there are none; nothing that is computed from them is given out."""
    if loss == "squared_error":
        return np.zeros((samples, outputs))
    return np.zeros(samples) if loss == "cross_entropy" else np.ones((samples, 1))


def _in_float64(spec: ResolvedEvaluateSpec) -> ResolvedTrainSpec:
    """Return the specification of the training with this job's device, and in double precision."""
    device = Device(spec.device)
    training = spec.trained.training.model_copy(update={"dtype": Dtype.FLOAT64, "device": device})
    return spec.trained.model_copy(update={"training": training})
