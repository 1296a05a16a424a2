"""What the second-order and regularity diagnostics look like in an answer."""

import json

import pytest

from deeplimit.mathematics import Training, train
from service.contract.results import to_json
from tests.support.small_problems import DEPTHS, odd_pair, trained
from worker.execution.train_diagnostics import diagnostics_of


def test_every_field_of_the_contract_is_there() -> None:
    measured = trained("tanh").diagnostics
    answer = json.loads(to_json(diagnostics_of(trained("tanh"))))
    rows = answer["certificates"]["depths"]
    assert [row["depth"] for row in rows] == list(DEPTHS)
    for row in [*rows, answer["certificates"]["continuum"]]:
        assert {"lambda_min", "lambda_min_error", "kind", "optimisation_error"} <= row.keys()
        assert row["kind"] == "strict_minimum"
        assert row["lambda_min"] == pytest.approx(0.1, rel=5e-3)
    for name in ("K", "b"):
        assert {"residual", "boundary_0", "boundary_1"} <= answer["euler_lagrange"][name].keys()
    for row, ours in zip(answer["regularity"]["depths"], measured.regularity, strict=True):
        assert {"depth", "second_difference", "bound", "boundary_0", "boundary_1"} <= row.keys()
        assert row["holds"] is True
        assert row["b"]["holds"] is True
        assert ours.K is not None
        assert row["second_difference"] == ours.K.second_difference
    for row in answer["compactness"]["depths"]:
        assert {"depth", "R_K", "R_b", "holder", "holder_bound"} <= row.keys()
    assert {"objective", "difference", "parameters_difference"} <= answer["independent_check"].keys()
    tables = [answer[name]["depths"] for name in ("minima", "minimisers", "states", "predictions", "lift", "recovery")]
    for table in [*tables, answer["minimisers"]["consecutive"]]:
        assert table[0]["error_budget"]["interval"] is None
        for row in table[1:]:
            budget = row["error_budget"]
            assert set(budget) == {"optimisation", "integration", "discretisation", "interval"}
    for row in (answer["minima"], *answer["minima"]["depths"]):
        assert 0.0 < row["predicted_slope_error"] < row["predicted_slope"]
    assert 0.0 < answer["minima"]["richardson_error"] < answer["minima"]["richardson"]
    low, high = answer["minima"]["depths"][-1]["error_budget"]["interval"]
    assert low <= answer["minima"]["depths"][-1]["order"] <= high


def test_what_is_skipped_is_null_with_the_reason() -> None:
    answer = json.loads(to_json(diagnostics_of(train(odd_pair("relu"), (8, 16), training=Training(starts=1)))))
    for row in [*answer["certificates"]["depths"], answer["certificates"]["continuum"]]:
        assert row["lambda_min"] is None
        assert row["kind"] is None
        assert row["withheld"]["kind"] == "the objective is not twice differentiable"
    for row in answer["regularity"]["depths"]:
        assert row["second_difference"] is None
        assert "not differentiable" in row["withheld"]["second_difference"]
        assert row["b"] is None
        assert "b" in row["withheld"]
    assert answer["euler_lagrange"]["K"] is None
    assert "K" in answer["euler_lagrange"]["withheld"]
    assert answer["independent_check"]["objective"] is None
    assert answer["independent_check"]["withheld"]["objective"] == "σ is not differentiable"


def test_without_a_continuum_its_parts_are_absent() -> None:
    answer = json.loads(to_json(diagnostics_of(train(odd_pair("tanh"), (8, 16, 32), None, Training(starts=1)))))
    assert "continuum" not in answer["certificates"]
    assert "euler_lagrange" not in answer
    assert "independent_check" not in answer
    assert len(answer["compactness"]["depths"]) == 3
