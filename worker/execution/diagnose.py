"""One attempt at a diagnosis of weights trained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplimit.mathematics.diagnostics.sequence.classification import classify
from deeplimit.mathematics.diagnostics.sequence.norms import network_norms
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from service.contract.diagnose import results as contract
from service.contract.diagnose.resolved import ResolvedDiagnoseSpec
from service.contract.names import RESULTS, network_key
from service.contract.results import to_json
from service.contract.train.sequence import Classification
from service.contract.values.media_types import JSON
from worker.execution.arrays import read_arrays
from worker.execution.provenance import provenance_of
from worker.execution.ticker import Ticker
from worker.executor import Outcome, UserError

if TYPE_CHECKING:
    from worker.executor import JobInput, Report, ShouldStop


def execute(job: JobInput, report: Report, should_stop: ShouldStop) -> Outcome:
    """Diagnose the networks that the job was given and write the results: a `worker.executor.Executor`."""
    spec = ResolvedDiagnoseSpec.model_validate(job.spec)
    pieces, limit_s = len(spec.networks) + 1, spec.limits.wall_time_s
    ticker = Ticker(pieces, "diagnostics", report, should_stop, limit_s, job.started)
    networks: list[NetworkWeights] = []
    rows: list[contract.DiagnosedNetwork] = []
    for index, asked in enumerate(spec.networks):
        arrays = read_arrays(job, network_key(index))
        weights = NetworkWeights({name: arrays[name] for name in ("K", "b")})
        networks.append(weights)
        norms = network_norms(weights, ticker.check)
        row = {**asked.model_dump(), **norms}
        rows.append(contract.DiagnosedNetwork.model_validate(row, from_attributes=True))
        ticker.tick()
    try:
        classified = classify(networks, residual_exponent=spec.residual_exponent, checkpoint=ticker.check)
    except ValueError as error:
        raise UserError("unusable_data", str(error)) from error
    classification = Classification.model_validate(classified, from_attributes=True)
    ticker.tick()
    results = contract.DiagnosisResultsFile(
        networks=rows,
        classification=classification,
        provenance=provenance_of(job, seed=0, seconds=ticker.elapsed),
    )
    return Outcome({RESULTS: job.write(RESULTS, to_json(results), JSON)})
