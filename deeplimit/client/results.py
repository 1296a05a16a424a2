"""Results of a job: the JSON object as it came, its tables, and a short view of both."""

from __future__ import annotations

import html
from importlib import import_module
from textwrap import fill
from typing import Any, Final

from deeplimit.client.shown import WIDEST, escaped, html_table, text_table

_MODELS: Final = (
    ("model", "model"),
    ("status", "status"),
    ("E", "objective"),
    ("accuracy", "train.accuracy"),
    ("r2", "train.r2"),
    ("accuracy, validation", "validation.accuracy"),
    ("r2, validation", "validation.r2"),
    ("|gradient|", "gradient_norm"),
    ("seconds", "wall_time_s"),
)
_MINIMA: Final = (
    ("depth", "depth"),
    ("E", "objective"),
    ("gap", "gap"),
    ("order", "order"),
    ("n·gap", "slope"),
    ("predicted n·gap", "predicted_slope"),
)
_VERDICTS: Final = {True: "converges", False: "does not converge", None: "undecided"}


class Results(dict[str, Any]):
    """What a job found: the JSON object of the contract, and views of it.

    >>> results = Results(models=[{"model": "discrete-8", "train": {"accuracy": 0.96}}])
    >>> results.rows("models")
    [{'model': 'discrete-8', 'train.accuracy': 0.96}]
    """

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict of a study; empty where there is none."""
        found: dict[str, Any] = (self.get("diagnostics") or {}).get("verdict") or {}
        return found

    @property
    def converges(self) -> bool | None:
        """Whether what was measured converges to the continuum limit; None where that is undecided."""
        found: bool | None = self.verdict.get("converges")
        return found

    @property
    def summary(self) -> str:
        """The answer in a sentence; empty where there is none."""
        verdict = self.verdict
        if not verdict:
            return ""
        return str(verdict.get("summary") or f"Verdict: {_VERDICTS[self.converges]}.")

    @property
    def answer(self) -> dict[str, Any]:
        """Which depth is needed and what it buys; empty where the service does not say."""
        found: dict[str, Any] = self.verdict.get("answer") or {}
        return found

    @property
    def tables(self) -> list[str]:
        """Names of what :meth:`frame` takes."""
        return list(self._tables())

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table as one mapping a row; what is nested has its place with points between, ``train.accuracy``.

        Raises
        ------
        KeyError
            There is no such table; the message names those that there are.
        """
        tables = self._tables()
        if name not in tables:
            raise KeyError(f"no table {name!r}; there are {', '.join(tables)}")
        return [_flat(row) for row in tables[name]]

    def frame(self, name: str = "models") -> Any:
        """Return a table as a data frame where pandas is installed, and as :meth:`rows` does where it is not."""
        rows = self.rows(name)
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError:
            return rows
        return pandas.DataFrame(rows)

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        found = {}
        parts = {**self, **(self.get("diagnostics") or {})}
        for name, part in parts.items():
            rows = part.get("depths") if isinstance(part, dict) else part
            if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
                found[name] = rows
        return found

    def _views(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Return the tables that are worth a look first, with the columns that are."""
        tables = self._tables()
        views = []
        for name, title, columns in (("models", "Models", _MODELS), ("minima", "Minima", _MINIMA)):
            if name in tables:
                rows = self.rows(name)
                views.append((title, [{label: row.get(field) for label, field in columns} for row in rows]))
        others = [name for name in ("evaluations", "networks") if name in tables]
        return views + [(name.capitalize(), [_scalars(row) for row in self.rows(name)]) for name in others]

    def __repr__(self) -> str:
        parts = [
            fill(escaped(self.summary), WIDEST),
            *(f"{title}\n{text_table(rows)}" for title, rows in self._views()),
        ]
        return "\n\n".join(filter(None, parts)) or f"Results({dict.__repr__(self)})"

    def _repr_html_(self) -> str:
        summary = f"<p><strong>{html.escape(self.summary)}</strong></p>" if self.summary else ""
        return f"<div>{summary}{''.join(html_table(rows, title) for title, rows in self._views())}</div>"


def _flat(row: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat


def _scalars(row: dict[str, Any]) -> dict[str, Any]:
    wanted = {name: value for name, value in row.items() if not isinstance(value, list) and "href" not in name}
    return {name: value for name, value in wanted.items() if not name.startswith(("parameters.", "links."))}
