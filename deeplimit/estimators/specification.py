"""A task as a service's specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deeplimit.estimators.task import Task


def inline(task: Task) -> dict[str, Any]:
    """Return the samples as part of a specification."""
    return {"source": "inline", "inputs": task.inputs.tolist(), "targets": task.targets.tolist()}


def specification(task: Task, depths: Sequence[int], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification whose study `train_in_process` trains.

    Parameters
    ----------
    data
        Source of the samples: `inline`, or an uploaded data set.
    """
    settings = task.settings
    return {
        "kind": "train",
        "name": task.name,
        "data": {**data, "validation_fraction": settings.validation_fraction, "split_seed": settings.seed},
        "network": {"activation": settings.activation, "state_dim": settings.state_dim},
        "objective": {"loss": task.loss, "alpha": dict(settings.alpha), "tau": dict(settings.tau)},
        "discrete": {"depths": list(depths)},
        "training": {
            "starts": "auto" if settings.starts is None else settings.starts,
            "max_iterations": settings.max_iterations,
            "seed": settings.seed,
            "device": settings.device,
        },
        "limits": {"wall_time_s": settings.wall_time_s},
    }
