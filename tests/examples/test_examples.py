"""What the gallery, the table of the examples and docs/verdict.md say of each specification, which is trained once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from service.api.forms import parameters
from service.contract.data.dataset import UploadFormat
from service.contract.data.reading import Missing
from service.contract.names import output_key, parameters_key
from service.datasets.uploads.request import Choice
from tests.examples.conftest import EXAMPLES, Service, example
from tests.examples.verdict_page import QUOTED, same
from tests.support import known_answers
from tests.support.markdown import ROOT

FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md")
ELSEWHERE = {"kubernetes.yaml"}
"""Held to what it says in tests/house."""


def test_every_example_is_listed_and_run() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\(\1\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == FILES
    source = Path(__file__).read_text()
    assert [name for name in FILES if f'"{name}"' not in source and name not in ELSEWHERE] == []


def test_the_papers_setting_gives_the_known_answer(service: Service) -> None:
    found = service.trained("paper.json")
    objectives = {model["model"]: model["objective"] for model in found["models"]}
    for depth, minimum in known_answers.C.minima.items():
        assert objectives[f"discrete-{depth}"] == pytest.approx(minimum, abs=2e-10)
    assert objectives["continuum"] == pytest.approx(known_answers.C.limit, abs=2e-10)
    assert found["diagnostics"]["verdict"]["converges"] is True


def test_a_wanted_gap_finds_its_depth(service: Service) -> None:
    body = example("wanted_gap.json")
    advice = service.results(service.run(body))["diagnostics"]["depth_advice"][0]
    assert advice["depth"] == 133  # C₁ = 0.0265628 over the wanted gap
    assert advice["check"]["met"] is True
    assert abs(advice["check"]["gap"]) <= body["discrete"]["depths"]["gap"]


def test_constant_weights_are_said_to_be_outside_the_theorem(service: Service) -> None:
    diagnostics = service.trained("constant_weights.json")["diagnostics"]
    assert [one["name"] for one in diagnostics["assumptions"] if not one["holds"]] == ["weights_vary"]
    assert diagnostics["classification"]["class"] == "constant_weights"
    assert diagnostics["minima"]["depths"][-1]["order"] == pytest.approx(1.0, abs=0.1)


def test_rough_weights_tend_to_nothing(service: Service) -> None:
    found = service.trained("rough_weights.json")
    assert found["diagnostics"]["verdict"]["converges"] is not True
    assert all(model["train"]["accuracy"] > 0.98 for model in found["models"])
    classification = found["diagnostics"]["classification"]
    assert classification["class"] == "rough"
    correlation = {one["name"]: one["value"] for one in classification["evidence"]}["increment_correlation"]
    assert correlation == pytest.approx(-0.5, abs=0.1)


def test_beside_a_pitchfork_a_shallow_network_is_left_where_it_is(service: Service) -> None:
    found = service.trained("pitchfork.json")
    diagnostics = found["diagnostics"]
    assert diagnostics["branches"][0]["left_at"] == [8]
    assert diagnostics["verdict"]["converges"] is True
    assert diagnostics["classification"]["class"] != "no_limit"
    objectives = {model["model"]: model["objective"] for model in found["models"]}
    nothing = 0.159**2 / 2
    assert objectives.pop("discrete-8") == pytest.approx(nothing, rel=1e-12)
    assert all(objective < nothing * (1 - 1e-6) for objective in objectives.values())


def test_on_a_turnpike_states_rest_near_zero(service: Service) -> None:
    trained = service.run(example("turnpike.json"))
    diagnostics = service.results(trained)["diagnostics"]
    assert diagnostics["verdict"]["converges"] is True
    assert [one["name"] for one in diagnostics["assumptions"] if not one["holds"]] == ["terminal_loss_only"]
    asked = {"kind": "evaluate", "job_id": trained.id, "models": ["discrete-128"], "outputs": ["states"]}
    evaluated = service.run(asked)
    stored = service.artifacts.get(evaluated.artifacts[output_key("states", "discrete-128")])
    states = np.abs(safetensors.numpy.load(stored)["states"])
    assert states[0] == pytest.approx(1.0)
    assert states[44:82].max() < 0.25
    assert states[-1].min() > 1.2


def test_breast_cancer_does_not_need_depth(service: Service) -> None:
    found = service.trained("breast_cancer.json")
    diagnostics = found["diagnostics"]
    assert diagnostics["verdict"]["converges"] is True
    assert diagnostics["minima"]["depths"][-1]["order"] > 0.9
    assert all(model["validation"]["accuracy"] > 0.95 for model in found["models"])
    assert diagnostics["depth_advice"][0]["depth"] == 26


def test_penguins_are_told_apart(service: Service, tmp_path: Path) -> None:
    measured = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    choice = Choice(inputs=measured, targets=("species",), missing=Missing.DROP)
    table = (EXAMPLES / "penguins.csv").read_bytes()
    body = example("penguins.json")
    assert body["data"]["id"] == "ID"
    body["data"]["id"] = service.upload(table, tmp_path / "penguins.csv", UploadFormat.CSV, choice)
    found = service.results(service.run(body))
    assert found["diagnostics"]["verdict"]["converges"] is True
    assert all(model["validation"]["accuracy"] >= 0.97 for model in found["models"])


def test_two_moons_are_trained_evaluated_and_diagnosed(service: Service, tmp_path: Path) -> None:
    trained = service.run(example("two_moons.json"))
    found = service.results(trained)
    service.keep("two_moons.json", found)
    assert all(model["status"] == "converged" for model in found["models"])
    assert all(model["validation"]["accuracy"] > 0.9 for model in found["models"])

    body = example("evaluate.json")
    assert body["job_id"] == "ID"
    evaluated = service.results(service.run(body | {"job_id": trained.id}))
    names = [entry["model"] for entry in evaluated["evaluations"]]
    assert names == ["discrete-64", "continuum", "sampled-128", "sampled-256"]
    assert all(entry["metrics"]["accuracy"] > 0.9 for entry in evaluated["evaluations"])

    body, ids = example("diagnose.json"), {}
    for depth in (16, 32, 64):
        stored = service.artifacts.get(trained.artifacts[parameters_key(f"discrete-{depth}")])
        ids[f"ID-{depth}"] = service.upload(
            b"".join(parameters.read(stored).to_npz().read()), tmp_path / f"net-{depth}.npz", UploadFormat.NPZ
        )
    networks = [{"dataset_id": ids[network["dataset_id"]]} for network in body["networks"]]
    diagnosed = service.results(service.run(body | {"networks": networks}))
    assert [network["depth"] for network in diagnosed["networks"]] == [16, 32, 64]
    assert diagnosed["classification"]["class"] in {"h1_limit", "undecided"}


def test_the_script_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_study.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{known_answers.C.minima[32]:.10f}" in done.stdout
    assert "converge to the continuum limit" in done.stdout


@pytest.mark.parametrize("name", QUOTED)
def test_the_service_says_what_the_page_quotes(name: str, service: Service) -> None:
    verdict = service.trained(name)["diagnostics"]["verdict"]
    summary, *others = QUOTED[name]
    assert same(summary, verdict["summary"]), verdict["summary"]
    findings = verdict["findings"]
    sentences = [text for each in findings for text in (each["text"], each["advice"]) if text is not None]
    assert [claimed for claimed in others if not any(same(claimed, said) for said in sentences)] == []
