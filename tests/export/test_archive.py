"""What is in the zip of a model: the same bytes each time, all that rebuilds the network, and a valid crate."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors
import yaml
from safetensors.numpy import load

from deeplimit.mathematics.kernels.activations import ACTIVATIONS
from service.contract.train.request import Activation
from service.contract.train.results import METADATA_KEY, ParametersMetadata
from service.export.archive import archive
from service.export.choice import chosen_model
from service.export.crate import CONTEXT, PROFILE
from service.export.model_code import SLOPES, VALUES
from service.export.network import KEY, SMOOTH, Network
from service.report.render import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.taken_away.exported import Exported

CASE = "tanh euler softmax, polynomials"
HOSTILE = "a](http://evil.example) <script>alert(1)</script>\n# b\u202e\n---\n'''\"\"\" ${x} {{ y }}"


@pytest.fixture(scope="module")
def one(exported: Mapping[str, Exported]) -> Exported:
    return exported[CASE]


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {entry.filename: file.read(entry) for entry in file.infolist()}


def hostile(one: Exported) -> Source:
    """The same job with hostile names wherever a client gives some."""
    source = one.source
    results = json.loads(source.results)
    results["data"] = {
        "samples": {"train": 21, "validation": 9},
        "features": 2,
        "inputs": [HOSTILE, "b"],
        "targets": [HOSTILE],
        "classes": [HOSTILE, "../../d"],
    }
    results["diagnostics"]["verdict"] |= {"statements": [HOSTILE], "summary": HOSTILE, "findings": [], "answer": None}
    record = source.record.model_copy(update={"name": HOSTILE, "metadata": {HOSTILE: HOSTILE}, "external_id": HOSTILE})
    return Source(record, json.dumps(results).encode())


def file_of(one: Exported, model: str) -> bytes:
    return one.trained.store.get(one.trained.outcome.artifacts[f"parameters/{model}"])


def test_the_same_job_gives_the_same_bytes(one: Exported) -> None:
    assert one.zip("discrete-8") == one.zip("discrete-8")
    assert one.zip("discrete-8") != one.zip("discrete-3")
    with zipfile.ZipFile(io.BytesIO(one.zip("continuum"))) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_parameters_say_all_that_rebuilds_the_network(exported: Mapping[str, Exported], tmp_path: Path) -> None:
    """Read by the library itself; arrays, and what the service says of them, are those of the service's own file."""
    one = exported["relu midpoint numbers, linear pieces, padded, long"]
    for model in ("discrete-8", "continuum"):
        content = opened(one.zip(model))["parameters.safetensors"]
        (tmp_path / "file").write_bytes(content)
        with safetensors.safe_open(tmp_path / "file", "numpy") as file:
            metadata = file.metadata()
            assert set(file.keys()) == {"K", "b", "W", "c"}
        stored = file_of(one, model)
        for name, array in load(stored).items():
            np.testing.assert_array_equal(load(content)[name], array)
        assert ParametersMetadata.of_file(content) == ParametersMetadata.of_file(stored)
        assert set(metadata) == {METADATA_KEY, KEY}
        said = Network.model_validate_json(metadata[KEY])
        assert (said.activation, said.block, said.horizon, said.state_dim) == ("relu", "single", 2.5, 4)
        assert (said.input_dim, said.output_dim, said.loss, said.output) == (3, 2, "squared_error", "identity")
        assert said.integrator == ("rk4" if model == "continuum" else "midpoint")
        assert said.standardisation.target_scale is not None
        if model == "continuum":
            assert said.basis is not None
            assert said.basis.family == "piecewise_linear"
            assert said.steps == one.trained.results["models"][-1]["steps"]


def test_every_activation_is_written_out() -> None:
    assert set(VALUES) == set(SLOPES) == set(Activation)
    assert {name for name, activation in ACTIVATIONS.items() if activation.smooth} == SMOOTH


def test_hostile_names_stay_names(one: Exported) -> None:
    files = opened(archive(hostile(one), file_of(one, "discrete-8")))
    assert "evil" not in files["model.py"].decode()
    said = Network.of_file(files["parameters.safetensors"])
    assert said.classes == [HOSTILE, "../../d"]  # as they are: what predict answers with
    assert said.inputs == [HOSTILE, "b"]
    card = files["MODEL_CARD.md"].decode()
    body = card.split("\n---\n", 1)[1]
    assert "](http" not in body
    assert "<script>" not in body
    assert "\u202e" not in card
    assert [line for line in body.splitlines() if line.startswith("# ")] == [body.strip().splitlines()[0]]
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "pytorch"
    assert "<script>" not in files["report.html"].decode()
    assert json.loads(files["ro-crate-metadata.json"])
    assert not [name for name in files if "/" in name or "\\" in name]


def test_the_card_says_what_it_is_and_how_good_it_is(one: Exported) -> None:
    card = opened(one.zip("discrete-8"))["MODEL_CARD.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    model = next(entry for entry in one.trained.results["models"] if entry["model"] == "discrete-8")
    (result,) = front["model-index"][0]["results"]
    assert front["pipeline_tag"] == "tabular-classification"
    assert result["dataset"]["split"] == "validation"
    assert result["metrics"] == [{"type": "accuracy", "value": model["validation"]["accuracy"]}]
    for heading in ("Use", "Data", "How good it is", "Verdict of the study", "Limits", "Where it comes from"):
        assert f"\n## {heading}\n" in card
    assert "A residual network of depth 8" in card
    assert ("did not converge" in card) is (model["status"] != "converged")


def test_a_fit_that_did_not_converge_says_so(one: Exported) -> None:
    source = one.source
    results = json.loads(source.results)
    results["models"][1]["status"] = "max_iterations"
    changed = replace(source, results=json.dumps(results).encode())
    card = opened(archive(changed, file_of(one, "discrete-8")))["MODEL_CARD.md"].decode()
    assert "Its fit did not converge: it ended as max\\_iterations." in card


def test_without_validation_the_card_says_so(exported: Mapping[str, Exported]) -> None:
    card = opened(exported["softplus implicit"].zip("continuum"))["MODEL_CARD.md"].decode()
    assert "No data were held out" in card
    assert "The continuum limit" in card


@pytest.mark.parametrize(
    ("depth", "models", "chosen"),
    [
        (16, ["discrete-8", "discrete-16", "discrete-32", "continuum"], "discrete-16"),
        (279, ["discrete-8", "discrete-16", "continuum"], "discrete-16"),
        (None, ["discrete-8", "discrete-128", "discrete-64"], "discrete-128"),
        (8, ["continuum"], "continuum"),
    ],
)
def test_which_model_is_taken_where_none_is_named(depth: int | None, models: list[str], chosen: str) -> None:
    results: dict[str, Any] = {"diagnostics": {"verdict": {"answer": {"depth": depth}}}}
    assert chosen_model(results, models) == chosen
    assert chosen_model({"diagnostics": {"verdict": {"answer": None}}}, ["discrete-8", "discrete-16"]) == "discrete-16"


def crate_of(one: Exported, model: str = "discrete-8") -> tuple[dict[str, Any], dict[str, bytes]]:
    files = opened(one.zip(model))
    document = json.loads(files["ro-crate-metadata.json"])
    assert document["@context"] == CONTEXT
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"])
    return entities, files


def ids(value: Any) -> list[str]:
    return [entry["@id"] for entry in (value if isinstance(value, list) else [value])]


def test_the_crate_is_one_of_a_process_run(one: Exported) -> None:
    """What RO-Crate 1.1 and Process Run Crate 0.5 ask for; roc-validator 0.13 agreed, which needs the network."""
    entities, files = crate_of(one)
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert (descriptor["@type"], ids(descriptor["about"])) == ("CreativeWork", ["./"])
    assert ids(descriptor["conformsTo"]) == ["https://w3id.org/ro/crate/1.1"]
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    assert ids(root["conformsTo"]) == [PROFILE]
    assert entities[PROFILE]["@type"] == "CreativeWork"
    assert set(ids(root["hasPart"])) == set(files) - {"ro-crate-metadata.json"}
    (action,) = (entity for entity in entities.values() if entity["@type"] == "CreateAction")
    assert ids(root["mentions"]) == [action["@id"]]
    (instrument,) = ids(action["instrument"])
    assert entities[instrument]["@type"] == "SoftwareApplication"
    assert entities[instrument]["softwareVersion"]
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    start, end = (datetime.fromisoformat(action[name]) for name in ("startTime", "endTime"))
    assert start <= end
    assert set(ids(action["object"])) == {"#data", "specification.json"}
    assert {"parameters.safetensors", "model.py", "results.json"} <= set(ids(action["result"]))


def test_every_reference_of_the_crate_leads_to_an_entity(one: Exported) -> None:
    entities, _ = crate_of(one)

    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(references, value))
        if isinstance(value, dict):
            return {value["@id"]} if set(value) == {"@id"} else set().union(*map(references, value.values()))
        return set()

    outside = {"https://w3id.org/ro/crate/1.1"}
    assert set().union(*map(references, entities.values())) - outside <= set(entities)


def test_the_crate_has_the_hash_of_every_file_and_of_the_data(one: Exported) -> None:
    entities, files = crate_of(one)
    for name in set(files) - {"ro-crate-metadata.json"}:
        assert entities[name]["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert entities[name]["contentSize"] == str(len(files[name]))
    assert entities["#data"]["sha256"] == one.trained.results["provenance"]["data_sha256"]


def test_the_crate_has_the_version_of_everything_that_computed(one: Exported) -> None:
    entities, _ = crate_of(one)
    versions = {e["name"]: e["softwareVersion"] for e in entities.values() if e["@type"] == "SoftwareApplication"}
    found = one.trained.results["provenance"]
    assert versions == found["libraries"] | {"deeplimit": found["version"]}
    assert {"python", "numpy", "scipy", "scikit-learn", "torch"} < set(versions)
    assert entities["#threads"]["value"] == str(found["threads"])


def test_a_job_of_an_earlier_version_is_exported_too(one: Exported) -> None:
    """Without names, libraries, threads, and the steps that resolve its continuum."""
    source = one.source
    results = json.loads(source.results)
    results.pop("data", None)
    for name in ("libraries", "threads", "data_sha256"):
        del results["provenance"][name]
    content = file_of(one, "continuum")
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = json.loads(header["__metadata__"]["deeplimit"])
    del metadata["resolved_steps"]
    header["__metadata__"]["deeplimit"] = json.dumps(metadata)
    text = json.dumps(header).encode()
    old = len(text).to_bytes(8, "little") + text + content[8 + int.from_bytes(content[:8], "little") :]
    files = opened(archive(replace(source, results=json.dumps(results).encode()), old))
    assert Network.of_file(files["parameters.safetensors"]).steps == metadata["steps"]
    names = re.findall(r'"name": "([^"]+)"', files["ro-crate-metadata.json"].decode())
    assert "torch" in names
