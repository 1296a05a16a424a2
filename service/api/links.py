"""Addresses of what the API shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.contract.job import JobStatus
from service.contract.kinds import KINDS
from service.contract.names import PLOTS

if TYPE_CHECKING:
    from service.contract.job import JobRecord


@dataclass(frozen=True, slots=True)
class Links:
    """Links as clients have to follow them; ``prefix`` is the path that a proxy has the service below, or empty."""

    prefix: str = ""

    def job(self, job_id: str) -> str:
        """Return the address of a job."""
        return f"{self.prefix}/v1/jobs/{job_id}"

    def results(self, job_id: str) -> str:
        """Return the address of a job's results; what belongs to them lies below it."""
        return f"{self.job(job_id)}/results"

    def plots(self, job_id: str) -> str:
        """Return the address of a study's plots; each lies below it."""
        return f"{self.job(job_id)}/plots"

    def dataset(self, dataset_id: str) -> str:
        """Return the address of a data set."""
        return f"{self.prefix}/v1/datasets/{dataset_id}"

    def of_job(self, record: JobRecord) -> dict[str, str]:
        """Name what exists of a job: ``results`` unless it ended without, ``cancel`` while it can be cancelled.

        There is nothing but itself of one that this version does not understand.
        """
        path, results = self.job(record.id), self.results(record.id)
        links = {"self": path}
        if not record.understood:
            return links
        if record.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
            links["results"] = results
        if record.status is JobStatus.SUCCEEDED and record.kind in KINDS:
            kind = KINDS[record.kind]
            links |= {name: f"{results}/{name}" for name in kind.documents} | {"report": f"{path}/report"}
            if kind.exported:
                links["export"] = f"{path}/export"
        if PLOTS in record.artifacts:
            links["plots"] = self.plots(record.id)
        if not record.done:
            links["cancel"] = f"{path}/cancel"
        return links
