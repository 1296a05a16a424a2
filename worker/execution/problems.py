"""Contract → deeplimit: the learning problem and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from deeplimit.mathematics import (
    Block,
    Coarse,
    ContinuumOptions,
    DepthStart,
    Follow,
    Integrator,
    Problem,
    Regime,
    Regularisation,
    Scaling,
    Training,
    Weights,
)
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.kernels.choice import KernelChoice, why_not_fused
from deeplimit.mathematics.problem.datasets import Dataset, Standardisation, load, split
from deeplimit.mathematics.problem.memory import Memory
from service.contract.estimate import Sizes
from service.contract.names import DATA, FIXED
from service.contract.train.depths import WantedGap, WantedPredictionError
from service.contract.train.estimate import deepest_affordable, memory_of
from service.contract.train.request import AUTO
from service.contract.train.resolved import KeptArray, ResolvedBuiltin, ResolvedTrainSpec
from service.contract.values.limits import LIMITS
from worker.execution.arrays import read_arrays
from worker.execution.provenance import samples_sha256
from worker.executor import JobInput, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.evaluate.resolved import ResolvedBuiltinEvaluation

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PreparedProblem:
    """A learning problem with what its data were scaled by, and the scaled part that was held out for validation.

    ``data_sha256`` is of the data as they came, by `samples_sha256`.
    """

    problem: Problem
    standardisation: Standardisation | None
    validation: tuple[Floats, npt.NDArray[np.generic]] | None
    data_sha256: str

    @property
    def held_out(self) -> int:
        """Samples of the validation part."""
        return 0 if self.validation is None else len(self.validation[0])


def prepare_problem(job: JobInput, spec: ResolvedTrainSpec) -> PreparedProblem:
    """Load, split and scale the data, and build the problem.

    Raises
    ------
    UserError
        If the device is not there, or the numbers do not make a problem.
    """
    data = dataset_of(job, spec)
    stratify = data.classes is not None or spec.objective.loss.value == "logistic"
    groups = np.asarray(data.targets).reshape(len(data.targets), -1)[:, 0] if stratify else data.targets
    training, held_out = split(groups, spec.data.validation_fraction, spec.data.split_seed, stratify=stratify)
    scaling = None
    inputs, targets = data.inputs, data.targets
    try:
        if spec.data.standardise or spec.data.standardise_targets:
            scaling = _scaling(spec, inputs[training], targets[training])
            inputs, targets = scaling.inputs(inputs), scaling.targets(np.asarray(targets))
        if spec.objective.loss.value == "logistic" and data.classes is not None:
            targets = 2 * targets - 1  # the classes 0 and 1 of a built-in set
        problem = problem_of(job, spec, inputs[training], targets[training], data.classes)
        memory = _memory(spec, Sizes(len(data.targets), problem.output_dim))
        problem.memory = memory.smaller() if job.frugal else memory
    except ValueError as error:
        raise UserError("unusable_data", str(error)) from error
    validation = (inputs[held_out], targets[held_out]) if len(held_out) else None
    return PreparedProblem(problem, scaling, validation, samples_sha256(data.inputs, data.targets))


def _memory(spec: ResolvedTrainSpec, sizes: Sizes) -> Memory:
    """Return what states and vectors may take, at the depths that are asked for or the deepest that may be sought."""
    if spec.limits.memory_bytes is None:
        return Memory()
    sought = set() if spec.wanted is None else {deepest_affordable(spec, sizes, LIMITS).depth}
    shares = memory_of(spec, sizes, sorted({*spec.depths} | sought)).shares(spec.limits.memory_bytes)
    return Memory(shares.states, shares.vectors)


def continuum_of(spec: ResolvedTrainSpec) -> ContinuumOptions | None:
    """Return how E_∞ is sought, or None."""
    if spec.continuum is None:
        return None
    return ContinuumOptions(basis=spec.continuum.basis.value, tolerance=spec.continuum.tolerance)


def wanted_of(spec: ResolvedTrainSpec) -> Wanted | None:
    """Return the error for which a depth is sought, or None."""
    match spec.wanted:
        case WantedGap(gap=error):
            return Wanted(Quantity.GAP, error)
        case WantedPredictionError(prediction_error=error):
            return Wanted(Quantity.PREDICTION_ERROR, error)
        case None:
            return None


def training_of(spec: ResolvedTrainSpec) -> Training:
    """Return how every model is trained."""
    asked = spec.training
    return Training(
        gradient_tolerance=asked.gradient_tolerance,
        max_iterations=asked.max_iterations,
        starts=None if asked.starts == AUTO else asked.starts,
        most_starts=LIMITS.starts,
        most_unseen=asked.most_unseen,
        seed=asked.seed,
        start_scale=asked.start_scale,
        depth_start=DepthStart(asked.depth_start.value),
        follow=Follow(asked.follow.value),
        sharpen=asked.sharpen,
        coarse=Coarse(asked.coarse.value),
        carry_curvature=asked.carry_curvature,
        wall_time_s=spec.limits.wall_time_s,
    )


def dataset_of(job: JobInput, spec: ResolvedTrainSpec) -> Dataset:
    """Return the data that a train specification names, as they came."""
    if isinstance(spec.data, ResolvedBuiltin):
        return builtin_dataset(spec.data)
    arrays = read_arrays(job, DATA)
    return dataset_for(spec.objective.loss.value, arrays["inputs"], arrays["targets"])


def builtin_dataset(source: ResolvedBuiltin | ResolvedBuiltinEvaluation) -> Dataset:
    """Return a built-in data set, whole or as many samples as are wanted of a generated one."""
    return load(source.name, samples=source.samples, noise=source.noise, seed=source.seed or 0)


def dataset_for(loss: str, inputs: npt.NDArray[np.generic], targets: npt.NDArray[np.generic]) -> Dataset:
    """Return samples as a loss takes them: an upload's targets are kept as numbers, whatever they will be."""
    x = inputs.astype(np.float64)
    if loss == "squared_error":
        return Dataset(x, targets.astype(np.float64).reshape(len(targets), -1), None)
    if loss == "logistic" and np.isin(targets, (-1.0, 1.0)).all():
        return Dataset(x, targets.astype(np.float64).reshape(-1, 1), None)
    labels = targets.astype(np.int64)
    return Dataset(x, labels, int(labels.max()) + 1)


def _scaling(spec: ResolvedTrainSpec, inputs: Floats, targets: npt.NDArray[np.generic]) -> Standardisation:
    columns = np.asarray(targets, np.float64).reshape(len(targets), -1) if spec.data.standardise_targets else None
    fitted = Standardisation.fit(inputs, columns)
    if spec.data.standardise:
        return fitted
    width = inputs.shape[1]
    return Standardisation(np.zeros(width), np.ones(width), fitted.target_mean, fitted.target_scale)


def problem_of(
    job: JobInput, spec: ResolvedTrainSpec, inputs: Floats, targets: npt.NDArray[np.generic], classes: int | None
) -> Problem:
    """Return the learning problem of scaled data."""
    loss = spec.objective.loss.value
    outputs = classes if loss == "cross_entropy" and classes else int(np.prod(targets.shape[1:]))
    return Problem(
        inputs,
        np.asarray(targets, np.float64),
        activation=spec.network.activation.value,
        loss=loss,
        regularisation=Regularisation(dict(spec.objective.alpha), dict(spec.objective.tau)),
        regime=_regime(spec),
        state_dim=spec.network.state_dim,
        classes=classes if loss == "cross_entropy" else None,
        fixed=_fixed(job, spec, outputs),
        device=_device(spec.training.device.value),
        dtype=torch.float32 if spec.training.dtype.value == "float32" else torch.float64,
        kernel=KernelChoice.TORCH if _why_not_fused(spec) else KernelChoice(spec.training.kernel.value),
    )


def kernel_note(spec: ResolvedTrainSpec) -> str | None:
    """Return why torch's kernel serves a specification that asks for the fused one, or None."""
    reason = _why_not_fused(spec)
    return None if reason is None else f"{reason[0].upper()}{reason[1:]}; torch's kernel was used."


def _why_not_fused(spec: ResolvedTrainSpec) -> str | None:
    """Return what only a worker can know against the fused kernel, where it is asked for."""
    if spec.training.kernel.value != KernelChoice.FUSED:
        return None
    device = _device(spec.training.device.value)
    return why_not_fused(spec.network.activation.value, device=device, dtype=torch.float64)


def _regime(spec: ResolvedTrainSpec) -> Regime:
    network, objective = spec.network, spec.objective
    return Regime(
        scaling=Scaling(objective.scaling.value),
        weights=Weights(network.weights.value),
        integrator=Integrator(network.integrator.value),
        block=Block(network.block.value),
        width=network.width,
        horizon=network.horizon,
        running_cost=objective.running_cost,
    )


def _fixed(job: JobInput, spec: ResolvedTrainSpec, outputs: int) -> Mapping[str, Floats]:
    d, asked = spec.network.state_dim, spec.network.fixed
    width = spec.network.width or d
    shapes: dict[str, tuple[int, ...]] = {"K": (d, d), "b": (width,), "W": (outputs, d), "c": (outputs,)}
    kept = read_arrays(job, FIXED) if FIXED in job.given else {}
    values: dict[str, Floats] = {}
    for name, shape in shapes.items():
        value = getattr(asked, name)
        if value == "zero":
            values[name] = np.zeros(shape)
        elif value == "identity":
            values[name] = np.eye(shape[0], shape[1])
        elif isinstance(value, KeptArray):
            values[name] = np.asarray(kept[name], np.float64)
        elif value is not None:
            values[name] = np.asarray(value, np.float64)
    return values


def _device(asked: str) -> torch.device:
    if asked == "cuda" and not torch.cuda.is_available():
        raise UserError("device_unavailable", "The worker that took the job has no CUDA device.")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")
