"""What is taken away predicts what the service predicts: model.py beside torch alone, and ONNX in onnxruntime."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from service.export.model_code import model_code
from service.export.network import KEY, Network
from service.export.onnx_child import to_onnx
from tests.export.cases import CASES, DEPTHS, UNSEEN
from tests.support.taken_away.alone import packages_alone, run_alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.taken_away.exported import Exported

EXACT = 1e-12
TRAINED = [
    pytest.param(case, model, id=f"{case}, {model}")
    for case, parts in CASES.items()
    for model in ("discrete-8", "continuum")
    if model != "continuum" or parts.get("continuum", {}) is not None
]
ALONE = """
import importlib.util, json, pathlib, runpy, torch
for name in ("deeplimit", "service", "worker", "numpy", "safetensors"):
    assert importlib.util.find_spec(name) is None, name
found = {}
for asked in json.loads(pathlib.Path("asked.json").read_text()):
    network = runpy.run_path(asked["folder"] + "/model.py")["load"]()
    assert isinstance(network, torch.nn.Module)
    answer = network.predict(asked["inputs"])
    made = {"predictions": answer["predictions"].tolist(), "labels": answer.get("labels")}
    inputs = torch.tensor(asked["inputs"], dtype=torch.float64)
    made["forward"] = network(inputs).tolist()
    if asked["graph"]:
        samples = torch.export.Dim("samples", min=1, max=1000)
        program = torch.export.export(network, (inputs,), dynamic_shapes=({0: samples},))
        torch.export.save(program, asked["folder"] + "/network.pt2")
        again = torch.export.load(asked["folder"] + "/network.pt2").module()
        made["graph"] = again(torch.cat([inputs, inputs])).tolist()
    found[asked["folder"]] = made
pathlib.Path("found.json").write_text(json.dumps(found))
"""
GRAPHS = {"tanh euler softmax, polynomials", "softplus implicit", "relu midpoint numbers, linear pieces, padded, long"}
"""Cases that are taken through torch.export: an explicit, an implicit and a continuum in pieces."""


def inputs_of(exported: Mapping[str, Exported], case: str) -> list[list[float]]:
    return UNSEEN[len(exported[case].trained.file("discrete-3")[1]["standardisation"]["mean"] or [0, 0])]


@pytest.fixture(scope="session")
def made(exported: Mapping[str, Exported], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every model.py says, in one interpreter that has torch alone."""
    place = tmp_path_factory.mktemp("alone")
    asked = []
    for number, (case, model) in enumerate(param.values for param in TRAINED):
        one = exported[str(case)]
        folder = one.unpack(str(model), place / str(number))
        graph = case in GRAPHS and (model != "continuum" or case.startswith("relu"))
        asked.append({"folder": str(folder), "inputs": inputs_of(exported, str(case)), "graph": graph})
    (place / "asked.json").write_text(json.dumps(asked))
    done = run_alone(packages_alone(place / "packages", "torch"), ALONE, place)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((place / "found.json").read_text())
    return {str(param.id): found[str(place / str(number))] for number, param in enumerate(TRAINED)}


@pytest.mark.parametrize(("case", "model"), TRAINED)
def test_model_py_predicts_what_an_evaluation_does(
    exported: Mapping[str, Exported], made: dict[str, Any], case: str, model: str
) -> None:
    wanted = exported[case].predictions([model], inputs_of(exported, case))[model]
    found = made[f"{case}, {model}"]
    np.testing.assert_allclose(found["predictions"], wanted["predictions"], rtol=EXACT, atol=EXACT)
    if "labels" in wanted:
        assert found["labels"] == wanted["labels"].tolist()
    else:
        assert found["labels"] is None


def test_a_graph_of_torch_export_does_what_the_module_does(made: dict[str, Any]) -> None:
    graphs = {name: found for name, found in made.items() if "graph" in found}
    assert len(graphs) == 4
    for found in graphs.values():
        np.testing.assert_allclose(found["graph"], found["forward"] * 2, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(("case", "model"), TRAINED)
def test_a_fixed_number_of_steps_is_enough_where_it_is_known(
    exported: Mapping[str, Exported], made: dict[str, Any], case: str, model: str
) -> None:
    """A network's layers are its own; the steps of a smooth continuum are those of an evaluation on the job's data."""
    one, found = exported[case], made[f"{case}, {model}"]
    network = Network.of_file(one.parameters(model))
    if network.smooth:
        np.testing.assert_allclose(found["forward"], found["predictions"], rtol=1e-10, atol=1e-10)
        evaluated = one.trained.evaluate(models=[model]).models[model]
        assert network.steps == (evaluated["steps"] or evaluated["depth"])
    elif model == "continuum":
        assert network.steps == one.trained.file(model)[1]["steps"]


@pytest.mark.parametrize(("case", "model"), TRAINED)
def test_onnx_predicts_what_an_evaluation_does(exported: Mapping[str, Exported], case: str, model: str) -> None:
    one, inputs = exported[case], inputs_of(exported, case)
    parameters = one.parameters(model)
    steps = None
    if model == "continuum":  # by the steps that the evaluation says it took
        evaluated = one.trained.evaluate(models=[model], data={"source": "inline", "inputs": inputs})
        steps = evaluated.models[model]["steps"]
    session = onnxruntime.InferenceSession(to_onnx(parameters, steps), providers=["CPUExecutionProvider"])
    outputs = dict(
        zip((o.name for o in session.get_outputs()), session.run(None, {"inputs": np.array(inputs)}), strict=True)
    )
    wanted = one.predictions([model], inputs)[model]
    np.testing.assert_allclose(outputs["predictions"], wanted["predictions"], rtol=EXACT, atol=EXACT)
    assert set(outputs) == set(wanted)
    if "labels" in wanted:
        assert outputs["labels"].tolist() == wanted["labels"].tolist()
    said = Network.model_validate_json(session.get_modelmeta().custom_metadata_map[KEY])
    assert said.activation == one.trained.spec.network.activation
    assert said.depth == (None if model == "continuum" else DEPTHS[-1])


def test_model_py_is_short_and_imports_torch_alone(exported: Mapping[str, Exported]) -> None:
    for case in CASES:
        one = exported[case]
        for model in one.trained.models:
            text = model_code(Network.of_file(one.parameters(model)))
            imported = {
                name.partition(".")[0]
                for node in ast.walk(ast.parse(text))
                for name in (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
            }
            assert {"json", "pathlib", "torch"} <= imported <= {"json", "math", "pathlib", "torch"}
            code = [line for line in text.splitlines() if line.strip() and '"""' not in line]
            assert len(code) < 85, (case, model)
