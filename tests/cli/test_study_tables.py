"""What is printed of results, on a terminal and elsewhere."""

import io
import re
from typing import Any

import pytest

from service.cli.digits import Digits
from service.cli.output import Console, fixed, short
from service.cli.plot import gap_plot
from service.cli.show import show_results
from service.cli.study_tables import beyond_rates
from service.contract.train.results import Results
from tests.cli.example import CONTINUUM, OBJECTIVES, results


def printed(found: dict[str, Any], *, terminal: bool) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=terminal, no_color=True, width=80 if terminal else 10_000, highlight=False
    )
    console.digits = Digits.SHORT if terminal else Digits.FULL
    show_results(console, found)
    return file.getvalue().splitlines()


def test_the_example_is_what_the_contract_says() -> None:
    Results.model_validate(results())


def test_every_number_is_there_in_full_where_that_is_asked_for() -> None:
    lines = printed(results(), terminal=False)
    for row in results()["diagnostics"]["minima"]["depths"]:
        (line,) = (line for line in lines if line.split()[:1] == [str(row["depth"])])
        values = [float(cell) for cell in line.split() if cell != "-"]
        for key in ("objective", "gap", "slope", "predicted_slope"):
            assert row[key] in values
    text = "\n".join(lines)
    assert f"E_∞ = {CONTINUUM}  trained as a continuum" in text
    assert "predicted and observed slope differ by 1.00%" in text
    assert "  * Minima converge with order 0.986." in text


def test_a_terminal_of_80_columns_holds_the_tables_and_a_plot() -> None:
    lines = printed(results(), terminal=True)
    text = "\n".join(lines)
    assert "…" not in text
    assert all(f"{objective:.9f}" in text for objective in OBJECTIVES.values())
    assert "predicted, C₁/n" in text


def test_slopes_and_extrapolations_are_told_with_their_errors_where_there_are_any() -> None:
    found = results()
    text = "\n".join(printed(found, terminal=True))
    assert "slope = 0.018912 ± 1.6e-07  predicted from the continuum" in text
    del found["diagnostics"]["minima"]["predicted_slope_error"]
    found["diagnostics"]["minima"]["richardson_error"] = None
    text = "\n".join(printed(found, terminal=True))
    assert "slope = 0.018912  predicted from the continuum" in text
    assert "E_∞ = 0.070097049  Richardson" in text


def test_without_a_continuum_the_columns_that_need_it_are_left_out() -> None:
    found = results()
    diagnostics = found["diagnostics"]
    for row in diagnostics["minima"]["depths"]:
        row |= {"gap": None, "slope": None, "predicted_slope": None}
    diagnostics["minima"] |= {"continuum": None, "predicted_slope": None}
    diagnostics["minimisers"]["depths"] = None
    del diagnostics["lift"], diagnostics["states"]
    text = "\n".join(printed(found, terminal=True))
    assert "gap" not in text.replace("n·gap is", "")
    assert "E_∞ = 0.070097049 ± 1.7e-05  Richardson" in text


def test_a_part_that_is_withheld_is_said_and_nothing_else_of_it() -> None:
    found = results()
    parts = ("minima", "minimisers", "states", "lift", "classification", "depth_advice")
    found["diagnostics"] |= dict.fromkeys(parts) | {"withheld": dict.fromkeys(parts, "no time was left")}
    lines = printed(found, terminal=True)
    assert all(f"{part} withheld: no time was left" in lines for part in parts)


def test_what_is_withheld_or_fails_is_said() -> None:
    found = results()
    diagnostics = found["diagnostics"]
    diagnostics["minima"]["depths"][0] |= {"gap": None, "withheld": {"gap": "the optimisation did not converge"}}
    diagnostics["assumptions"][0] |= {"holds": False, "detail": "sigmoid(0) = 0.5"}
    diagnostics["minima"]["withheld"] = {"richardson": "it takes two depths"}
    diagnostics["verdict"] = {"converges": None, "statements": []}
    lines = printed(found, terminal=False)
    assert "minima, depth 8: gap withheld: the optimisation did not converge" in lines
    assert "minima: richardson withheld: it takes two depths" in lines
    assert "assumption sigma_vanishes_at_zero does not hold: sigmoid(0) = 0.5" in lines
    assert "Verdict: undecided" in lines


def with_answer() -> dict[str, Any]:
    """Results of the present version: with data, an answer, and a part held out."""
    found = results()
    found["data"] = {
        "samples": {"train": 455, "validation": 114},
        "features": 30,
        "inputs": [f"column {k}" for k in range(30)],
        "targets": ["diag\x1b[31m\nnosis"],
        "classes": ["malignant", "benign"],
    }
    for model in found["models"]:
        model["validation"] = {"terminal_loss": 0.0512, "accuracy": 0.9736842105263158}
    text = "Use depth 32: the least trained depth with the limit's accuracy and an optimum within 1 % of the limit's."
    findings = [
        ("summary", "main", "Yes. As depth grows the trained networks settle on one limit."),
        ("use_depth", "main", text),
        ("performance", "main", "Accuracy on validation data is the same, 0.9737, from depth 8 on."),
        ("minima_converge", "detail", "Minima converge with order 0.986."),
    ]
    found["diagnostics"]["verdict"] |= {
        "summary": findings[0][2],
        "answer": {
            "depth": 32,
            "metric": "accuracy",
            "data": "validation",
            "at_depth": 0.9736842105263158,
            "in_the_limit": 0.9736842105263158,
            "confidence": "measured",
            "change": "Raise training.starts.",
        },
        "findings": [
            {"code": code, "about": "x", "holds": True, "level": level, "text": words, "advice": None, "href": None}
            for code, level, words in findings
        ],
    }
    return found


@pytest.mark.parametrize("terminal", [True, False])
def test_the_first_ten_lines_are_the_answer(terminal: bool) -> None:
    Results.model_validate(with_answer())
    lines = printed(with_answer(), terminal=terminal)
    first = " ".join(" ".join(lines[:10]).split())
    assert "Yes. As depth grows" in lines[0]
    assert "Use depth 32: the least trained depth" in first
    assert "To change: Raise training.starts." in first
    assert "Accuracy on validation data is the same, 0.9737, from depth 8 on." in first
    text = "\n".join(lines)
    assert text.index("How good the models are") < text.index("Details") < text.index("Verdict: converges")
    assert text.count("Minima converge with order 0.986.") == 1, "details are told once"


def test_training_and_validation_stand_side_by_side() -> None:
    lines = printed(with_answer(), terminal=True)
    words = [re.sub(r"\x1b\[\d*m", "", line).split() for line in lines]
    place = words.index(["model", "training", "validation", "training", "validation"])
    assert words[place - 1] == ["accuracy", "accuracy", "loss", "L", "loss", "L"]
    (row,) = (line.split() for line in lines if line.split()[:2] == ["discrete-8", "0.9930"])
    assert row == ["discrete-8", "0.9930", "0.9737", "0.030100", "0.051200"]
    assert not any("validation" in line for line in printed(results(), terminal=True))


def test_data_are_named_without_what_a_terminal_acts_on() -> None:
    text = "\n".join(printed(with_answer(), terminal=False))
    assert "455 samples to train on, 114 held out for validation; 30 inputs (column 0, " in text
    assert "column 11 and 18 more)" in text
    assert "classes malignant, benign" in text
    assert "target diag\\u001b[31m nosis" in text
    assert "\x1b" not in text


def test_numbers_that_are_not_finite_are_shown_as_they_come() -> None:
    found = results()
    found["models"][0]["objective"] = "Infinity"
    for row in found["diagnostics"]["minima"]["depths"]:
        row |= {"objective": "Infinity", "gap": "Infinity", "slope": "NaN"}
    assert "Infinity" in "\n".join(printed(found, terminal=True))


def test_no_diagnostics_at_all() -> None:
    lines = printed({"models": results()["models"][:1], "diagnostics": {}}, terminal=True)
    assert any("discrete-8" in line for line in lines)
    assert not any("Convergence" in line for line in lines)


@pytest.mark.parametrize(
    ("value", "full", "text"),
    [
        (0.5, True, "0.5000000"),
        (1e-9, True, "0.000000001"),
        (0.07009124296, True, "0.07009124296"),
        (0.07009124296, False, "0.070091243"),
        (3, True, "3.0000000"),
        (None, True, "-"),
        ("NaN", False, "NaN"),
    ],
)
def test_fixed_notation(value: object, full: bool, text: str) -> None:
    assert fixed(value, full=full) == text


def test_short_notation() -> None:
    assert short(1 / 3, ".3f", full=False) == "0.333"
    assert short(1 / 3, ".3f", full=True) == repr(1 / 3)
    assert short(None, ".3f", full=True) == "-"


def test_a_plot_takes_two_gaps() -> None:
    assert not gap_plot({"depths": [{"depth": 8, "gap": 1e-3}, {"depth": 16, "gap": None}]})
    assert not gap_plot({})


def test_gaps_on_the_predicted_line_lie_on_the_diagonal() -> None:
    depths = [{"depth": n, "gap": 2.0 / n} for n in (8, 16, 32)]
    rows = [line for line in gap_plot({"depths": depths, "predicted_slope": 2.0}).splitlines() if "│" in line]
    assert rows[0].endswith("│●··") or "│●" in rows[0]
    assert rows[-1].endswith("●")
    assert sum(line.count("●") for line in rows) == 3


def test_class_advice_and_branches_are_named() -> None:
    lines = beyond_rates(
        {
            "classification": {"class": "h1_limit", "evidence": []},
            "depth_advice": [
                {"gap": 1e-3, "depth": 27, "depth_interval": [27, 27], "basis": "continuum"},
                {"gap": 1e-2, "depth": 8, "depth_interval": [2, 8], "basis": "discrete-8, as trained"},
                {"gap": 1e-9, "depth": None, "basis": "", "withheld": {"depth": "add depth 64"}},
                {
                    "gap": None,
                    "wanted_prediction_error": 1e-2,
                    "depth": 84,
                    "basis": "discrete-16, discrete-32",
                    "check": {
                        "depth": 64,
                        "gap": 1e-3,
                        "prediction_error": 2e-2,
                        "met": False,
                        "detail": "depth 84 is over the limit of 64",
                    },
                },
                {
                    "gap": 1e-4,
                    "depth": None,
                    "basis": "",
                    "check": {"depth": None, "gap": None, "met": None, "detail": "no trained model predicts the gap"},
                },
            ],
            "branches": [
                {
                    "branch": 0,
                    "starts": 3,
                    "status": "persists",
                    "verdict": True,
                    "objectives": {"8": 0.5, "continuum": 0.25},
                }
            ],
        },
        full=False,
    )
    assert lines == [
        "class of the depth sequence: h1_limit",
        "a gap of 1.00e-03 takes depth 27  by continuum",
        "a gap of 1.00e-02 takes depth 8 (2 to 8)  by discrete-8, as trained",
        "a gap of 1.00e-09: no depth advised  (add depth 64)",
        "a prediction error of 1.00e-02 takes depth 84  by discrete-16, discrete-32",
        "a prediction error of 1.00e-02: trained at depth 64: missed, 2.00e-02  (depth 84 is over the limit of 64)",
        "a gap of 1.00e-04: undecided  (no trained model predicts the gap)",
        "branch 0: 3 starts, persists, E = 0.250000000 at continuum  <- verdict",
    ]
    assert beyond_rates({}, full=True) == []
