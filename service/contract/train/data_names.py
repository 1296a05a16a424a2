"""What the data of a train job call their columns and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from service.contract.data.builtin_names import CLASSES, COLUMNS
from service.contract.train.request import Loss
from service.contract.train.resolved import ChosenBuiltin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.contract.train.resolved import ResolvedTrainSpec


@dataclass(frozen=True, slots=True)
class DataNames:
    """Names of the columns and classes, ``None`` where there are none; classes are in the order 0..m-1, or -1 and 1."""

    inputs: list[str] | None
    targets: list[str] | None
    classes: list[str] | None

    @classmethod
    def of(cls, spec: ResolvedTrainSpec) -> Self:
        """Return the names that a resolved specification holds, or that its built-in set has."""
        data = spec.data
        if isinstance(data, ChosenBuiltin):
            given: Mapping[str, Any] = {"columns": COLUMNS.get(data.name), "class_names": CLASSES.get(data.name)}
        else:
            given = data.model_dump()
        found = {
            name: list(given[key]) if given.get(key) else None
            for name, key in (("inputs", "columns"), ("targets", "target_columns"), ("classes", "class_names"))
        }
        if spec.objective.loss is Loss.SQUARED_ERROR:
            found["classes"] = None
        return cls(**found)
