"""`MODEL_CARD.md`: what the model is, what it was trained on, how good it is, and what it is not good for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from service.report.data import data_facts, data_name, network_of
from service.report.texts import at, listed, number, visible
from service.report.verdict import METRICS, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.export.network import Network
    from service.report.parts import Json

_MARKS: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&-])")
TASKS: Final = {
    "identity": "tabular-regression",
    "softmax": "tabular-classification",
    "logistic": "tabular-classification",
}
"""Hugging Face's name for what a model of each output does."""


def plain(text: str) -> str:
    """Return text that Markdown shows as it is, in one line and without anything invisible."""
    return _MARKS.sub(r"\\\1", visible(" ".join(text.split())))


def model_card(network: Network, record_name: str | None, spec: Json, results: Json) -> str:
    """Return the card of a model, in the shape that Hugging Face has for them."""
    model = next(entry for entry in results["models"] if entry["model"] == network.model)
    name = record_name or f"{network.model} for {data_name(spec['data'])}"
    parts = [
        _front_matter(network, spec, model),
        f"# {plain(name)}",
        _what(network, spec),
        "## Use\n\n" + _use(network),
        "## Data\n\n" + _list(data_facts(spec["data"], results.get("data"))),
        "## How good it is\n\n" + "\n".join(_metrics(model)),
        "## Verdict of the study\n\n" + "\n\n".join(_verdict(results["diagnostics"]["verdict"])),
        "## Limits\n\n" + "\n".join(f"* {line}" for line in _limits(network, model)),
        "## Where it comes from\n\n" + _list(_origin(network, results)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(network: Network, spec: Json, model: Json) -> str:
    metric, part = _measured(model)
    value = at(model, part, metric)
    # escapes beyond U+FFFF are pairs in JSON, which YAML does not join
    data = json.dumps(visible(data_name(spec["data"])), ensure_ascii=False)
    lines = [
        "---",
        "library_name: pytorch",
        f"pipeline_tag: {TASKS[network.output]}",
        "tags: [residual-network, neural-ode, deeplimit]",
    ]
    if isinstance(value, float | int):
        lines += [
            "model-index:",
            f"- name: {json.dumps(network.model, ensure_ascii=False)}",
            "  results:",
            f"  - task: {{type: {TASKS[network.output]}}}",
            f"    dataset: {{type: tabular, name: {data}, split: {part}}}",
            f"    metrics: [{{type: {metric}, value: {value!r}}}]",
        ]
    return "\n".join([*lines, "---"])


def _measured(model: Json) -> tuple[str, str]:
    part = "validation" if model.get("validation") else "train"
    return next((name for name in ("accuracy", "r2") if name in (model.get(part) or {})), "accuracy"), part


def _what(network: Network, spec: Json) -> str:
    what = (
        "The continuum limit of residual networks, a differential equation"
        if network.depth is None
        else f"A residual network of depth {network.depth}"
    )
    task = "numbers" if network.output == "identity" else "classes"
    return f"{what}, which predicts {task} from {network.input_dim} inputs: {plain(network_of(spec))}."


def _use(network: Network) -> str:
    order = listed([plain(name) for name in network.inputs]) if network.inputs else f"{network.input_dim} numbers"
    classes = (
        f"\n\n`labels` has the class of each sample: {listed([plain(name) for name in network.classes])}."
        if network.classes
        else ""
    )
    steps = (
        ""
        if network.depth
        else "\n\n`predict` takes as many steps as the samples need; `forward`, which `torch.export` takes, always"
        f" {network.steps}."
    )
    return (
        "`model.py` needs torch alone. Inputs come in this order and in the units of the training data:"
        f" {order}.\n\n"
        "```python\nfrom model import load\n\nnetwork = load()\n"
        f"print(network.predict([{json.dumps([0.0] * network.input_dim)}]))\n```"
        f"{classes}{steps}"
    )


def _metrics(model: Json) -> Iterator[str]:
    metric, _ = _measured(model)
    yield f"| data | {METRICS[metric]} | loss |"
    yield "|---|---|---|"
    for part, name in (("validation", "validation, held out"), ("train", "training")):
        if model.get(part):
            values = (number(at(model, part, field), ".6g") for field in (metric, "terminal_loss"))
            yield f"| {name} | {' | '.join(values)} |"


def _verdict(verdict: Json) -> Iterator[str]:
    answer = answer_of(verdict)
    yield f"**{plain(answer.summary)}**"
    yield from map(plain, answer.sentences)
    if answer.findings:
        yield "\n".join(f"* {plain(finding.text)}" for finding in answer.findings)


def _limits(network: Network, model: Json) -> Iterator[str]:
    if not model.get("validation"):
        yield "No data were held out: how good it is on data that it has not seen is not known."
    if why := at(model, "withheld", "objective"):
        yield f"It was not trained: {plain(why)}."
    elif model["status"] not in {"converged", "stationary_nonsmooth"}:
        yield f"Its fit did not converge: it ended as {plain(model['status'])}."
    yield "It knows nothing of inputs beyond the range of its training data, and does not say when it meets one."
    if network.depth is None:
        yield f"It is integrated numerically; a graph of it takes {network.steps} steps of Runge and Kutta's method."
    if network.output != "identity":
        yield "Probabilities are those of the fit and were not calibrated."


def _origin(network: Network, results: Json) -> list[tuple[str, Any]]:
    found = results.get("provenance") or {}
    return [
        ("Job", network.job_id),
        ("deeplimit", network.version),
        ("Seed", found.get("seed")),
        ("SHA-256 of the specification", found.get("spec_sha256")),
        ("SHA-256 of the data", found.get("data_sha256") or "not recorded"),
        ("More", "ro-crate-metadata.json, report.html, specification.json, results.json"),
    ]


def _list(facts: list[tuple[str, Any]]) -> str:
    return "\n".join(f"* {term}: {plain(str(text))}" for term, text in facts)
