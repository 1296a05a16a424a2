"""What a study found, in plain Python: a row for each model, the verdict, the least depth that is near the limit."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LEAST_SCALE: Final = 1e-3
"""A gap is relative to max(|E_∞|, this), as the tolerance of the continuum is."""
_STOPPED: Final[Mapping[str, str]] = {"max_iterations": "max_iterations", "time_limit": "wall_time_s"}
"""Parameter of the estimator that stopped a model, by its status."""


@dataclass(frozen=True)
class ModelRow:
    """One trained model.

    Attributes
    ----------
    depth
        n, or None for the continuum.
    status
        How its minimisation ended, ``converged`` if all is well.
    objective
        E, regularisation included; NaN where it is not finite, or there was no time to evaluate it.
    train, validation
        ``terminal_loss``, and ``accuracy`` or ``r2``, empty where there was no time to measure it; validation is None
        where nothing was held out.
    """

    depth: int | None
    status: str
    objective: float
    iterations: int
    train: Mapping[str, float | None]
    validation: Mapping[str, float | None] | None

    @property
    def usable(self) -> bool:
        """Whether it can predict anything."""
        return self.status != "diverged" and math.isfinite(self.objective)

    @property
    def name(self) -> str:
        """``depth n``, or ``the continuum``."""
        return "the continuum" if self.depth is None else f"depth {self.depth}"


@dataclass(frozen=True)
class Study:
    """The networks of every depth, their continuum limit, and whether the ones converge to the other.

    Attributes
    ----------
    networks
        By depth.
    limit
        The continuum.
    converges
        None when the study cannot tell.
    summary
        The verdict in plain words.
    statements
        All that the verdict says, with the terms of the theory.
    job_id
        Of the service's job; None where the study was trained in this process.
    """

    networks: tuple[ModelRow, ...]
    limit: ModelRow | None
    converges: bool | None
    summary: str
    statements: tuple[str, ...] = field(repr=False)
    job_id: str | None = None

    def gap(self, row: ModelRow) -> float | None:
        """Return (E_n − E_∞) / max(|E_∞|, 1e-3) of a network, or None where one of the two is not known."""
        if self.limit is None or not (self.limit.usable and row.usable):
            return None
        return (row.objective - self.limit.objective) / max(abs(self.limit.objective), _LEAST_SCALE)

    def least_depth(self, gap: float) -> int | None:
        """Return the coarsest trained depth from which on every one is within a relative gap, or None."""
        found = None
        for row in reversed(self.networks):
            relative = self.gap(row)
            if relative is None or abs(relative) > gap:
                break
            found = row.depth
        return found

    def predicted_depth(self, gap: float) -> int | None:
        """Return the depth that the deepest usable network's gap predicts to be within a relative gap, or None.

        Gaps fall as 1/n to first order; a tenth is added for the terms behind it.
        """
        deepest = next((row for row in reversed(self.networks) if row.usable), None)
        relative = None if deepest is None else self.gap(deepest)
        if deepest is None or relative is None or deepest.depth is None:
            return None
        return math.ceil(1.1 * deepest.depth * abs(relative) / gap)

    def deepest_usable(self) -> int | None:
        """Return the deepest network that can predict."""
        return next((row.depth for row in reversed(self.networks) if row.usable), None)

    def row(self, depth: int) -> ModelRow:
        """Return the row of one depth."""
        return next(row for row in self.networks if row.depth == depth)

    def stopped(self) -> dict[str, list[str]]:
        """Return names of the models that a parameter of the estimator stopped, by that parameter."""
        found: dict[str, list[str]] = {}
        for row in self._models():
            if row.status in _STOPPED:
                found.setdefault(_STOPPED[row.status], []).append(row.name)
        return found

    def _models(self) -> Iterator[ModelRow]:
        yield from self.networks
        if self.limit is not None:
            yield self.limit

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = list(self._models())
        metric = next((name for row in rows for name in ("accuracy", "r2") if name in row.train), "terminal_loss")
        head = ["depth", "status", "objective", "relative gap", f"{metric} (train)"]
        held_out = any(row.validation is not None for row in rows)
        head += [f"{metric} (validation)"] if held_out else []
        body = []
        for row in rows:
            cells = [
                "limit" if row.depth is None else str(row.depth),
                row.status.replace("_", " "),
                _short(row.objective),
                "" if row.depth is None else _short(self.gap(row)),
                _short(row.train.get(metric)),
            ]
            body.append([*cells, _short((row.validation or {}).get(metric))] if held_out else cells)
        return f"<p>{html.escape(self.summary)}</p>{_table(head, body)}"


def rows_of(models: Sequence[Mapping[str, Any]]) -> tuple[tuple[ModelRow, ...], ModelRow | None]:
    """Return networks by depth and the continuum or None, from models as a service's results have them."""
    rows = [
        ModelRow(
            model.get("depth"),
            model["status"],
            math.nan if model["objective"] is None else float(model["objective"]),
            model["iterations"],
            _metrics(model["train"]),
            None if model["validation"] is None else _metrics(model["validation"]),
        )
        for model in models
    ]
    networks = sorted((row for row in rows if row.depth is not None), key=lambda row: row.depth or 0)
    return tuple(networks), next((row for row in rows if row.depth is None), None)


def _metrics(found: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Return the numbers of a model's metrics; those that are not finite come as texts."""
    return {
        name: None if value is None else float(value) for name, value in (found or {}).items() if name != "withheld"
    }


def _short(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return (
        f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"
    )
