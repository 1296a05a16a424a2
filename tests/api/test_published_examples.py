"""The examples of the OpenAPI document are what the service answers: their job is run and read over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.api.dataset_examples import CSV
from service.api.examples import EXAMPLES
from service.contract.job import JobStatus
from worker.execution import execute
from worker.executor import JobInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.api import HandWorker

MADE_UP = {
    *("request_id", "created_at", "finished_at", "started_at", "updated_at", "wall_time_s", "torch", "workers"),
    *("id", "job_id", "evaluated_job_id", "sha256"),
    *("width", "height"),
}
"""Fields that differ from run to run, or with machine and fonts; ids that links hold are put in place before."""
STEPS = {"iterations", "evaluations"}
"""Counts that the last digits of another processor may change a little."""
REL, NOISE = 1e-4, 1e-6
"""Of six digits; and what the optimisation leaves, such as a gradient, which is told from zero by no machine alike."""


def untrue(example: Any, answer: Any, at: str = "") -> Iterator[str]:
    """Where an example says what the answer does not; of names, statements, findings and fields, it may have fewer."""
    if isinstance(example, dict) and isinstance(answer, dict):
        yield from (f"{at}/{key}: not answered" for key in example if key not in answer)
        for key in set(example) & set(answer) - MADE_UP:
            yield from untrue(example[key], answer[key], f"{at}/{key}")
    elif isinstance(example, list) and isinstance(answer, list):
        yield from untrue_entries(example, answer, at)
    elif not alike(example, answer, at.rpartition("/")[2]):
        yield f"{at}: {example!r}, {answer!r} answered"


def untrue_entries(example: list[Any], answer: list[Any], at: str) -> Iterator[str]:
    if example and at.endswith("/findings"):
        answered = {entry["code"]: entry for entry in answer}
        for entry in example:
            yield from untrue(entry, answered.get(entry["code"], {}), f"{at}/{entry['code']}")
    elif example and all(isinstance(entry, str) for entry in (*example, *answer)):
        yield from (f"{at}: {entry!r} is not among {answer}" for entry in example if entry not in answer)
    elif len(example) != len(answer):
        yield f"{at}: {len(example)} entries, {len(answer)} answered"
    else:
        for index, (one, other) in enumerate(zip(example, answer, strict=True)):
            yield from untrue(one, other, f"{at}/{index}")


def alike(example: Any, answer: Any, name: str) -> bool:
    if isinstance(example, float) and isinstance(answer, float):
        return answer == pytest.approx(example, rel=REL, abs=NOISE)
    if name in STEPS:
        return bool(answer == pytest.approx(example, rel=0.2))
    return type(example) is type(answer) and example == answer


def ends(losses: dict[str, Any], model: str) -> dict[str, Any]:
    """The histories of one model with their first and last entries alone, as the example has them."""

    def shortened(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shortened(part) for name, part in value.items()}
        return [value[0], value[-1]] if isinstance(value, list) else value

    return losses | {"models": [shortened(one) for one in losses["models"] if one["model"] == model]}


def run(api: httpx.Client, worker: HandWorker, body: dict[str, Any]) -> str:
    """Run a job as a trainer does; return the address of its results."""
    created = api.post("/v1/jobs", json=body).raise_for_status().json()
    record, fence = worker.claim()
    job = JobInput(record.id, fence, record.spec, worker.artifacts, record.artifacts)
    outcome = execute(job, lambda _: None, lambda: False)
    worker.store.finish(record.id, fence, JobStatus.SUCCEEDED, artifacts=outcome.artifacts)
    results: str = created["links"]["results"]
    return results


def with_ids(answer: Any, ids: dict[str, str]) -> Any:
    text = json.dumps(answer)
    for real, shown in ids.items():
        text = text.replace(real, shown)
    return json.loads(text)


def test_the_job_of_the_examples_answers_as_they_say(api: httpx.Client, worker: HandWorker) -> None:
    answers = {
        "DryRun": api.post("/v1/jobs/plan", json=EXAMPLES["TrainSpec"]).json(),
        "Job": api.post("/v1/jobs", json=EXAMPLES["TrainSpec"]).json(),
        "JobPage": api.get("/v1/jobs").json(),
    }
    api.post(answers["Job"]["links"]["cancel"])
    results = run(api, worker, EXAMPLES["TrainSpec"])
    trained = results.split("/")[3]
    plots = results.replace("/results", "/plots")
    minima = f"{plots}/minima"
    answers |= {
        "Results": api.get(results).json(),
        "Diagnostics": api.get(f"{results}/diagnostics").json(),
        "Losses": ends(api.get(f"{results}/losses").json(), "discrete-8"),
        "Plots": api.get(plots).json(),
        "MinimaData": api.get(minima, headers={"Accept": "application/json"}).json(),
        "VegaLite": api.get(minima, headers={"Accept": "application/vnd.vegalite.v6+json"}).json(),
        "DiscreteParameters": api.get(f"{results}/parameters?model=discrete-8").json(),
        "ContinuumParameters": api.get(f"{results}/parameters?model=continuum&grid=3").json(),
    }
    evaluated = run(api, worker, EXAMPLES["EvaluateSpec"] | {"job_id": trained})
    answers |= {
        "EvaluationResults": api.get(evaluated).json(),
        "ModelPredictions": api.get(f"{evaluated}/predictions?model=discrete-8").json(),
        "ModelStates": api.get(f"{evaluated}/states?model=discrete-8").json(),
    }
    shown_plots = {"minima", "parameters", "trajectories"}  # the example has some of them
    answers["Plots"]["plots"] = [plot for plot in answers["Plots"]["plots"] if plot["name"] in shown_plots]
    ids = {
        answers["Job"]["id"]: EXAMPLES["Job"]["id"],
        trained: EXAMPLES["Job"]["id"],
        evaluated.split("/")[3]: EXAMPLES["EvaluationResults"]["job_id"],
    }
    del answers["EvaluationResults"]["provenance"]["spec_sha256"]  # it is of the id too
    shown = json.loads(json.dumps(dict(EXAMPLES)))
    del shown["EvaluationResults"]["provenance"]["spec_sha256"]
    assert [error for name in answers for error in untrue(shown[name], with_ids(answers[name], ids), name)] == []


def test_other_examples_are_what_is_answered(api: httpx.Client) -> None:
    iris = {"kind": "train", "data": {"source": "builtin", "name": "iris"}, "network": {"state_dim": 2}}
    upload = api.post("/v1/datasets?name=sides", content=CSV, headers={"Content-Type": "text/csv"}).json()
    answers = {
        "Problem": api.post("/v1/jobs", json=iris).json(),
        "Dataset": upload,
        "DatasetPreview": api.get(upload["links"]["preview"]).json(),
        "DatasetPage": api.get("/v1/datasets").json(),
        "Capabilities": api.get("/v1/capabilities").json() | {"devices": ["cpu"]},  # no worker is there
        "Health": api.get("/readyz").json(),
    }
    ids = {upload["id"]: EXAMPLES["Dataset"]["id"]}
    assert [error for name in answers for error in untrue(EXAMPLES[name], with_ids(answers[name], ids), name)] == []


def test_every_example_of_an_answer_is_compared(request: pytest.FixtureRequest) -> None:
    source = request.path.read_text()
    assert [name for name in EXAMPLES if not name.endswith("Spec") and f'"{name}": ' not in source] == []


@pytest.mark.parametrize(
    ("example", "answer", "said"),
    [
        ({"E": 0.0978595, "id": "1"}, {"E": 0.0978594622, "id": "2", "more": None}, []),
        ({"E": 0.09786}, {"E": 0.0978}, ["/E"]),
        ({"gradient_norm": 3e-8, "b": [0.0]}, {"gradient_norm": 2.9e-9, "b": [-1e-9]}, []),
        ({"gradient_norm": 3e-8}, {"gradient_norm": 3e-3}, ["/gradient_norm"]),
        ({"iterations": 36}, {"iterations": 13}, ["/iterations"]),
        ({"iterations": 41}, {"iterations": 42}, []),
        ({"depth": 8}, {"depth": 9}, ["/depth"]),
        ({"left": 1}, {}, ["/left"]),
        ({"statements": ["b"]}, {"statements": ["a", "b"]}, []),
        ({"statements": ["c"]}, {"statements": ["a", "b"]}, ["/statements"]),
        ({"branches": []}, {"branches": [{}]}, ["/branches"]),
        ({"findings": [{"code": "b", "holds": True}]}, {"findings": [{"code": "a"}, {"code": "b", "holds": True}]}, []),
        ({"findings": [{"code": "b"}]}, {"findings": [{"code": "a"}]}, ["/findings/b/code"]),
        ({"done": False}, {"done": 0}, ["/done"]),
    ],
)
def test_what_is_not_so_is_found(example: Any, answer: Any, said: list[str]) -> None:
    assert [error.partition(":")[0] for error in untrue(example, answer)] == said
