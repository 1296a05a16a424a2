"""What the command line prints of evaluations and diagnoses."""

from __future__ import annotations

import io
from typing import Any

from service.cli.digits import Digits
from service.cli.output import Console
from service.cli.show import show_results

EVALUATION: dict[str, Any] = {
    "evaluated_job_id": "abc",
    "data": {"source": "inline", "samples": 3, "targets": True},
    "evaluations": [
        {
            "model": "continuum",
            "kind": "continuum",
            "metrics": {"terminal_loss": 0.25, "accuracy": 0.75, "r2": None, "withheld": {"r2": "one sample"}},
            "predictions": {"href": "/v1/jobs/x/results/predictions?model=continuum"},
            "solvers": {
                "spread": 40.0,
                "spreads": [40.0, 4.0],
                "consistent": False,
                "reference": {"prediction_change": 0.5, "relative_change": 0.125, "output": 1},
                "advice": "train with more steps",
                "table": [
                    {
                        "solver": "euler",
                        "steps": 8,
                        "state_error": 0.1,
                        "state_order": None,
                        "prediction_change": "Infinity",
                        "relative_change": 0.375,
                        "changed_labels": 0.5,
                        "agrees": False,
                    }
                ],
            },
            "robustness": {
                "repeats": 4,
                "levels": [
                    {"noise": 0.1, "rms_change": 0.01, "sup_change": 0.02, "changed_labels": None, "metrics": None}
                ],
            },
        }
    ],
    "sampled": {
        "depths": [
            {
                "depth": 64,
                "states": {"sup_error": 1e-3, "order": None},
                "predictions": {"sup_error": 2e-3, "order": 0.99},
            }
        ]
    },
}
NORMS = {
    "R": 1.0,
    "sup": 1.0,
    "l2": 1.0,
    "root_sum_square": 4.25,
    "root_sum_square_increments": 0.5,
    "increment_correlation": 0.9,
    "second_difference": None,
    "holder": 0.1,
    "p_variation": {"1": 1.0, "2": 0.5, "3": 0.25},
}
DIAGNOSIS: dict[str, Any] = {
    "networks": [{"depth": 32, "joint": NORMS}, {"depth": 16, "joint": NORMS}],
    "classification": {
        "class": "rough",
        "evidence": [{"name": "beta", "value": 0.5, "interval": None, "supports": "rough", "detail": "β of weights"}],
    },
}


def printed(results: dict[str, Any]) -> str:
    file = io.StringIO()
    console = Console(file=file, width=200, highlight=False)
    console.digits = Digits.FULL
    show_results(console, results)
    return file.getvalue()


def test_an_evaluation() -> None:
    text = printed(EVALUATION)
    assert "job abc on 3 samples" in text
    for part in (
        *("0.25", "0.75", "0.99", "euler", "Infinity", "0.375", "4 draws", "?model=continuum"),
        "continuum: predictions depend on the solver; the reference changes output 1 by 0.125 of its spread, 4.0,",
        "continuum: train with more steps",
        "r2 of continuum withheld: one sample",
    ):
        assert part in text, part


def test_a_diagnosis() -> None:
    text = printed(DIAGNOSIS)
    assert "Class: rough" in text
    assert "beta = 0.5 -> rough: β of weights" in text
    rows = [line.split()[0] for line in text.splitlines() if line.strip()[:2] in {"16", "32"}]
    assert rows == ["16", "32"]
    assert "4.25" in text
    assert "of increments" in text


def test_an_evaluation_says_what_it_is_of() -> None:
    own = EVALUATION | {"data": {"source": "job", "samples": 3, "targets": True, "classes": ["down", "u\x1bp"]}}
    file = io.StringIO()
    show_results(Console(file=file, width=200, highlight=False), own)
    text = file.getvalue()
    assert "on 3 samples, those of the job itself: trained on and held out together\n" in text
    assert "classes: down, u\\u001bp\n" in text
    assert "How good the models are on these samples" in text
    file = io.StringIO()
    show_results(Console(file=file, width=200, highlight=False), EVALUATION)
    assert "on 3 samples\n" in file.getvalue()
    assert "classes" not in file.getvalue()
