"""Training in this process: the study that a service's worker would train from the same specification."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import torch

from deeplimit.estimators.network import FittedNetwork, Scaling
from deeplimit.estimators.study import Study, rows_of
from deeplimit.estimators.trained import Trained
from deeplimit.mathematics import Problem, Regularisation, Training, train
from deeplimit.mathematics.evaluation.metrics import metrics_of
from deeplimit.mathematics.problem.datasets import Standardisation, split
from deeplimit.mathematics.study.branches import BranchPoint
from deeplimit.mathematics.study.threads import suited_threads
from deeplimit.mathematics.watch import MEASURED_S, OutOfTimeError, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deeplimit.estimators.task import Settings, Task
    from deeplimit.mathematics.study.continuum_fit import ContinuumFit


def train_in_process(task: Task, depths: Sequence[int]) -> Trained:
    """Train with this process's torch: a `Trainer`."""
    settings, regression = task.settings, task.loss == "squared_error"
    targets = np.asarray(task.targets, np.float64) if regression else task.targets
    kept, held_out = split(targets, settings.validation_fraction, settings.seed, stratify=not regression)
    scaling = Standardisation.fit(task.inputs[kept], targets[kept] if regression else None)
    x, y = scaling.inputs(task.inputs), scaling.targets(targets)
    problem = Problem(
        x[kept],
        y[kept],
        activation=settings.activation,
        loss=task.loss,
        regularisation=Regularisation(settings.alpha, settings.tau),
        state_dim=settings.state_dim,
        classes=None if regression else int(targets.max()) + 1,
        device=_device(settings),
    )
    validation = (x[held_out], y[held_out]) if len(held_out) else None
    deadline = time.monotonic() + settings.wall_time_s
    with suited_threads(problem):
        trained = train(
            problem,
            depths,
            training=Training(
                max_iterations=settings.max_iterations,
                starts=settings.starts,
                seed=settings.seed,
                wall_time_s=settings.wall_time_s,
            ),
            validation_inputs=None if validation is None else validation[0],
            validation_targets=None if validation is None else validation[1],
            prediction_scale=scaling.target_scale,
            deadline=deadline,
        )
    branch = trained.study.verdict_branch
    points: list[BranchPoint | ContinuumFit] = [point for _, point in sorted(branch.points.items())]
    if branch.continuum is not None:
        points.append(branch.continuum)
    samples = {"train": (problem.x, problem.y)}
    if validation is not None:
        samples["validation"] = (problem.lift_inputs(validation[0]), problem.lift_targets(validation[1]))
    measured_by = max(deadline, time.monotonic()) + MEASURED_S
    networks, limit = rows_of([_row(problem, point, samples, measured_by) for point in points])
    verdict = trained.diagnostics.verdict
    study = Study(networks, limit, verdict.converges, verdict.summary, tuple(verdict.statements))

    def network(depth: int) -> FittedNetwork:
        parameters = branch.points[depth].parameters
        arrays = {name: getattr(parameters, name).detach().cpu().numpy().copy() for name in ("K", "b", "W", "c")}
        columns = {name: getattr(scaling, name) for name in ("mean", "scale", "target_mean", "target_scale")}
        return FittedNetwork(settings.activation, Scaling.of(columns), **arrays)

    return Trained(study, network)


def _device(settings: Settings) -> torch.device:
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but there is no CUDA device here")
    return torch.device("cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu")


def _row(
    problem: Problem,
    point: BranchPoint | ContinuumFit,
    samples: dict[str, tuple[torch.Tensor, torch.Tensor]],
    deadline: float,
) -> dict[str, object]:
    """Return a model as a service's results have it, as far as a study's rows need it; without what comes too late."""
    solution = point.solution
    measured = {}
    with suppress(OutOfTimeError), until(deadline):
        for part, (x, y) in samples.items() if solution.evaluated else ():
            measured[part] = metrics_of(problem.loss, point.model.output(solution.u, x), y)
    return {
        "depth": point.depth if isinstance(point, BranchPoint) else None,
        "status": solution.status.value,
        "objective": solution.objective,
        "iterations": solution.iterations,
        "train": measured.get("train"),
        "validation": measured.get("validation"),
    }
