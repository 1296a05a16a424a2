"""Results of a study of breast_cancer, as the service answers them (values rounded)."""

from typing import Any

OBJECTIVES = {8: 0.07227292987, 16: 0.07122480263, 32: 0.07066929871, 64: 0.07038317403}
CONTINUUM = 0.07009124296


def _fitted(model: str, kind: str, objective: float, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "kind": kind,
        "status": "converged",
        "objective": objective,
        "terminal_loss": 0.0301,
        "regularisation": {"K": 0.02, "b": 0.001, "W": 0.02, "c": 0.0},
        "gradient_norm": 8.4e-8,
        "iterations": 21,
        "evaluations": 25,
        "hessian_products": 0,
        "wall_time_s": 0.7,
        "train": {"terminal_loss": 0.0301, "accuracy": 0.9929701230228472},
        "validation": None,
        "parameters": {"arrays": {"b": {"shape": [2], "dtype": "float64"}}, "sha256": "0" * 64},
        **more,
    }


def results() -> dict[str, Any]:
    minima: list[dict[str, Any]] = []
    orders = [None, 0.941, 0.972, 0.986]
    for (depth, objective), order in zip(OBJECTIVES.items(), orders, strict=True):
        gap = objective - CONTINUUM
        minima.append(
            {
                "depth": depth,
                "objective": objective,
                "gap": gap,
                "order": order,
                "slope": depth * gap,
                "predicted_slope": depth * gap * 1.01,
                "predicted_slope_error": gap,
                "withheld": {},
            }
        )
    return {
        "job_id": "01example",
        "models": [
            *(_fitted(f"discrete-{depth}", "discrete", e, depth=depth) for depth, e in OBJECTIVES.items()),
            _fitted(
                "continuum",
                "continuum",
                CONTINUUM,
                basis={"family": "legendre", "degree": 8},
                steps=32,
                tolerance_reached=4e-10,
            ),
        ],
        "diagnostics": {
            "assumptions": [{"name": "sigma_vanishes_at_zero", "holds": True, "detail": "tanh(0) = 0"}],
            "minima": {
                "continuum": CONTINUUM,
                "richardson": 0.07009704935,
                "richardson_error": 1.7e-5,
                "predicted_slope": 0.0189123,
                "predicted_slope_error": 1.6e-7,
                "depths": minima,
            },
            "minimisers": {
                "depths": [
                    {
                        "depth": n,
                        "tl2": {"K": 0.3 / n, "b": 0.1 / n, "W": 0.1 / n, "c": 0.0, "total": 0.4 / n},
                        "h1_seminorm": {"K": 0.3 / n, "b": 0.1 / n},
                        "order": {"total": order},
                    }
                    for n, order in zip(OBJECTIVES, orders, strict=True)
                ],
                "consecutive": [],
            },
            "states": {"depths": [{"depth": n, "sup_error": 1.0 / n, "order": 0.984} for n in OBJECTIVES]},
            "lift": {
                "depths": [{"depth": n, "objective": 0.0701, "excess": 1 / n**2, "order": 1.959} for n in OBJECTIVES]
            },
            "branches": [],
            "verdict": {"converges": True, "statements": ["Minima converge with order 0.986.", "Minimisers converge."]},
        },
        "provenance": {
            "spec_sha256": "0" * 64,
            "seed": 0,
            "torch": "2.13.0",
            "device": "cpu",
            "dtype": "float64",
            "version": "0.1.0",
        },
        "links": {"self": "/v1/jobs/01example/results"},
    }
