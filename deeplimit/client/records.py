"""What the service keeps, as it was last read: jobs and data sets, without the connection."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from deeplimit.client.errors import JobFailed
from deeplimit.client.shown import escaped, html_table


class Record(Mapping[str, Any]):
    """A JSON object of the service; its fields are read as of a mapping.

    Attributes
    ----------
    record
        The object as it was last read.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record: dict[str, Any] = dict(record)

    def __getitem__(self, name: str) -> Any:
        return self.record[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.record)

    def __len__(self) -> int:
        return len(self.record)

    @property
    def id(self) -> str:
        """Identifier."""
        return str(self.record["id"])

    @property
    def name(self) -> str | None:
        """Name for people."""
        found: str | None = self.record.get("name")
        return found


class Dataset(Record):
    """An uploaded data set. In a specification it stands for itself: ``{"kind": "train", "data": dataset}``."""

    @property
    def reference(self) -> dict[str, str]:
        """How a specification names it."""
        return {"source": "dataset", "id": self.id}

    def __repr__(self) -> str:
        return f"<Dataset {self.id}: {self._holds()}>"

    def _repr_html_(self) -> str:
        name = f" {html.escape(self.name)}" if self.name else ""
        return f"<p>Data set <code>{html.escape(self.id)}</code>{name}: {html.escape(self._holds())}</p>"

    def _holds(self) -> str:
        if self.get("kind") == "weights":
            return f"weights of {self.get('depth')} layers, d = {self.get('state_dim')}"
        return f"{self.get('samples')} samples of {self.get('features')} numbers"


class JobRecord(Record):
    """A job as it was last read."""

    @property
    def kind(self) -> str:
        """Kind of job: ``train``, ``evaluate`` or ``diagnose``."""
        return str(self.record["kind"])

    @property
    def status(self) -> str:
        """Status: ``queued``, ``running``, ``cancelling``, ``succeeded``, ``failed`` or ``cancelled``."""
        return str(self.record["status"])

    @property
    def done(self) -> bool:
        """Whether the status is final."""
        return bool(self.record["done"])

    @property
    def progress(self) -> dict[str, Any] | None:
        """Phase, model, fraction, objective and gradient norm; None before the first iteration."""
        found: dict[str, Any] | None = self.record.get("progress")
        return found

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it failed; None where it did not."""
        found: dict[str, Any] | None = self.record.get("error")
        return found

    def check(self) -> None:
        """Raise `JobFailed` if it failed or was cancelled."""
        if self.done and self.status != "succeeded":
            raise JobFailed(self.record)

    def __repr__(self) -> str:
        name = f" ({escaped(self.name)})" if self.name else ""
        return f"<{type(self).__name__} {self.id}{name}: {self.status}>"

    def _repr_html_(self) -> str:
        progress = {} if self.done else self.progress or {}
        row = {
            "kind": self.record.get("kind"),
            "status": self.status,
            "phase": progress.get("phase"),
            "model": progress.get("model"),
            "done": f"{progress['fraction']:.0%}" if "fraction" in progress else None,
        }
        name = f" {html.escape(self.name)}" if self.name else ""
        error = self.error
        why = f"<p>{html.escape(error['code'])}: {html.escape(error['detail'])}</p>" if error else ""
        return f"<p>Job <code>{html.escape(self.id)}</code>{name}</p>{html_table([row])}{why}"
