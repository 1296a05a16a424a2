"""Examples of specifications and answers for the OpenAPI document, one job from its specification to what comes of it.

They are what the service answers, which a test runs: with fewer digits, without some fields and statements, and of
histories only the first and the last entry. Ids, times and hashes are those of one run.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from service.api.dataset_examples import DATASET, PREVIEW
from service.contract.plots.index import RENDERED_FORMS, STORED_FORMS
from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from service.contract.train.resolved import spec_sha256
from service.contract.values.limits import LIMITS
from service.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_ID, _EVALUATION = "3b9f0c1e7a5d4c0f9f0e6a1b2c3d4e5f", "4e12855a36b042c98e81df43bebc6e41"
_JOB = f"/v1/jobs/{_ID}"
_WEIGHTS = {
    8: "cd7981f01c822fa8657c1824b2c631b2fc21222d24210f41b66d59f24335c51b",
    16: "24d7ae9c51cdaf33c881b5b575bb116645d70e8c3cfe7328a503903687646c62",
}
_HASHES = {
    "discrete-8": "560b3a55a6bd8975cb5876b7545e1051ea7111aa9fcb957a7d510d0cba24eaf3",
    "discrete-16": "95db88858109e979ee9b25e12d9b33e031649974cee1ef4e50586cb471a5d082",
    "continuum": "92aeb3f645a6f48b4fd452e248e38291fea7ae63b916963083d819fbe6c5f130",
}

_TRAIN: Json = {
    "kind": "train",
    "name": "two points",
    "data": {
        "source": "inline",
        "inputs": [[1.0], [-1.0]],
        "targets": [[2.0], [-2.0]],
        "standardise": False,
        "standardise_targets": False,
    },
    "network": {"activation": "identity"},
    "objective": {"alpha": {"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}},
    "discrete": {"depths": [8, 16]},
}
_EVALUATE: Json = {
    "kind": "evaluate",
    "job_id": _ID,
    "models": ["discrete-8"],
    "depths": [256],
    "outputs": ["predictions", "states", "metrics"],
}
_DIAGNOSE: Json = {"kind": "diagnose", "networks": [{"dataset_id": weights} for weights in _WEIGHTS.values()]}

_RESOLVED: Json = resolve_train(TrainSpec.model_validate(_TRAIN), LIMITS).spec.model_dump(mode="json")
_LISTED: Json = {
    "id": _ID,
    "kind": "train",
    "status": "queued",
    "done": False,
    "revision": 1,
    "attempt": 1,
    "crashes": 0,
    "outages": 0,
    "name": "two points",
    "external_id": None,
    "metadata": {},
    "progress": None,
    "error": None,
    "created_at": "2026-11-26T10:00:00Z",
    "started_at": None,
    "finished_at": None,
    "updated_at": "2026-11-26T10:00:00Z",
    "links": {"self": _JOB, "results": f"{_JOB}/results", "cancel": f"{_JOB}/cancel"},
}


def _fit(model: str, values: tuple[float, ...], r2: float, counts: tuple[int, int], size: int) -> Json:
    """How a fit ended: its objective, the loss and the terms of K and W in it, ‖∇E‖; iterations, evaluations."""
    objective, loss, of_k, of_w, gradient_norm = values
    shapes = {"K": [size, 1, 1], "b": [size, 1], "W": [1, 1], "c": [1]}
    return {
        "model": model,
        "status": "converged",
        "objective": objective,
        "terminal_loss": loss,
        "regularisation": {"K": of_k, "b": 0.0, "W": of_w, "c": 0.0},
        "gradient_norm": gradient_norm,
        "iterations": counts[0],
        "evaluations": counts[1],
        "hessian_products": 0,
        "wall_time_s": 0.05,
        "train": {"terminal_loss": loss, "r2": r2},
        "validation": None,
        "parameters": {
            "href": f"{_JOB}/results/parameters?model={model}",
            "arrays": {name: {"shape": shape, "dtype": "float64"} for name, shape in shapes.items()},
            "sha256": _HASHES[model],
        },
    }


_ANSWER: Json = {
    "depth": 79,
    "metric": "r2",
    "data": "train",
    "at_depth": None,
    "in_the_limit": 0.999888,
    "confidence": "predicted",
    "change": "Add depth 79 to discrete.depths, which trains it.",
}
_DIAGNOSTICS: Json = {
    "assumptions": [
        {"name": name, "holds": True, "detail": detail}
        for name, detail in (
            ("sigma_lipschitz", "identity is Lipschitz continuous"),
            ("sigma_vanishes_at_zero", "identity has σ(0) = 0"),
            ("loss_continuous_nonnegative", "squared_error is continuous and never negative"),
            ("alpha_positive", "the smallest α of a trained parameter is 0.05"),
            ("tau_positive", "the smallest τ of a trained parameter is 1"),
        )
    ],
    "minima": {
        "continuum": 0.089174,
        "depths": [
            {"depth": 8, "objective": 0.0978595, "gap": 0.00868542, "order": None, "withheld": {}},
            {"depth": 16, "objective": 0.0935512, "gap": 0.00437718, "order": 0.988593, "withheld": {}},
        ],
    },
    "branches": [
        {
            "branch": 0,
            "verdict": True,
            "starts": 4,
            "frequency": {"share": 1.0, "interval": [0.510109, 1.0]},
            "objectives": {"8": 0.0978595, "16": 0.0935512, "continuum": 0.089174},
            "lambda_min": {"8": 0.1, "16": 0.1, "continuum": 0.1},
            "status": "persists",
            "left_at": [],
            "detail": None,
        }
    ],
    "verdict": {
        "converges": True,
        "summary": "Yes. As depth grows the trained networks settle on one limit: what remains about halves each time"
        " depth doubles.",
        "answer": _ANSWER,
        "findings": [
            {
                "code": "use_depth",
                "about": "depth",
                "holds": None,
                "level": "main",
                "text": "Use depth 79: predicted to have the limit's R² and an optimum within 1 % of the limit's, and"
                " not trained.",
                "advice": _ANSWER["change"],
                "href": "docs/mathematics.md#summary-answer-and-findings",
            }
        ],
        "statements": ["From depth 8 to 16 the order of the minima is 0.989; 1 is expected."],
    },
}
_PROVENANCE: Json = {
    "spec_sha256": spec_sha256(_RESOLVED),
    "seed": 0,
    "torch": "2.13.0+cpu",
    "device": "cpu",
    "dtype": "float64",
    "version": VERSION,
    "wall_time_s": 1.76,
}
_RESULTS: Json = {
    "job_id": _ID,
    "data": {
        "samples": {"train": 2, "validation": 0},
        "features": 1,
        "inputs": None,
        "targets": None,
        "classes": None,
    },
    "models": [
        _fit("discrete-8", (0.0978595, 0.000625436, 0.047842, 0.049392, 2.9e-8), 0.999844, (41, 47), 8)
        | {"kind": "discrete", "depth": 8},
        _fit("discrete-16", (0.0935512, 0.000532987, 0.0473782, 0.0456401, 3.7e-8), 0.999867, (8, 9), 16)
        | {"kind": "discrete", "depth": 16},
        _fit("continuum", (0.089174, 0.000448408, 0.0468227, 0.0419029, 3.4e-8), 0.999888, (8, 11), 9)
        | {"kind": "continuum", "basis": {"family": "legendre", "degree": 8}, "steps": 64, "tolerance_reached": 9e-10},
    ],
    "diagnostics": _DIAGNOSTICS,
    "provenance": _PROVENANCE,
    "links": {"self": f"{_JOB}/results", "job": _JOB, "losses": f"{_JOB}/results/losses"},
}
_HISTORY = {
    "objective": [4.22581, 0.0978595],
    "terminal_loss": [3.98978, 0.000625436],
    "gradient_norm": [1.4566, 2.9e-8],
    "regularisation": {
        "K": [0.104518, 0.047842],
        "b": [0.0927313, 0.0],
        "W": [0.0113858, 0.049392],
        "c": [0.0273982, 0.0],
    },
}
_OUTPUT = f"/v1/jobs/{_EVALUATION}/results"
_EVALUATION_RESULTS: Json = {
    "job_id": _EVALUATION,
    "evaluated_job_id": _ID,
    "data": {"source": "job", "samples": 2, "targets": True, "inputs": None, "classes": None},
    "evaluations": [
        {
            "model": model,
            "kind": kind,
            "depth": depth,
            "steps": None,
            "integration_error": None,
            "metrics": metrics,
            "predictions": {
                "href": f"{_OUTPUT}/predictions?model={model}",
                "arrays": {"predictions": {"shape": [2, 1], "dtype": "float64"}},
                "sha256": sha256,
            },
        }
        for model, kind, depth, metrics, sha256 in (
            (
                *("discrete-8", "discrete", 8, {"terminal_loss": 0.000625436, "r2": 0.999844}),
                "3d75b44863fc212d90634417b0b9ff4098ca27766bc4971473b49b2003734238",
            ),
            (
                *("sampled-256", "sampled", 256, {"terminal_loss": 0.00076461, "r2": 0.999809}),
                "5b26095ff3cea0949d0852511f75a3e6bd11e448018d86c539dc2c353f3b54e1",
            ),
        )
    ],
    "provenance": {**_PROVENANCE, "spec_sha256": "9e7b3012fa6ed78a9f635171d8b86b084819b7a400884bf4709b68d8db636962"},
    "links": {"self": _OUTPUT, "job": f"/v1/jobs/{_EVALUATION}"},
}
_MODEL: Json = {
    "c": [0.0],
    "input_dim": 1,
    "state_dim": 1,
    "standardisation": {"mean": None, "scale": None, "target_mean": None, "target_scale": None},
}
_DETAIL = "must be at least the input dimension, 4"
_PROBLEM: Json = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "invalid_spec",
    "detail": f"The specification has 1 error; the first, at /network/state_dim: {_DETAIL}.",
    "request_id": "68a307a8f258d3ca",
    "errors": [{"pointer": "/network/state_dim", "code": "state_dim_too_small", "detail": _DETAIL}],
}

_MINIMA = (
    "The minimum goes from 0.09786 at depth 8 to 0.09355 at depth 16; the trained limit is 0.08917. Depth times gap is"
    " 0.07003 at depth 16, where the continuum alone predicts 0.07053 as depth grows."
)

EXAMPLES: Mapping[str, Json] = MappingProxyType(
    {
        "TrainSpec": _TRAIN,
        "EvaluateSpec": _EVALUATE,
        "DiagnoseSpec": _DIAGNOSE,
        "DryRun": {
            "spec": _RESOLVED,
            "estimate": {"parameters": 36, "memory_bytes": 48466880, "work_flops": 2037600.0},
        },
        "Job": {**_LISTED, "spec": _RESOLVED},
        "JobPage": {"items": [_LISTED], "next_cursor": None, "left_out": 0},
        "Results": _RESULTS,
        "Diagnostics": _DIAGNOSTICS,
        "EvaluationResults": _EVALUATION_RESULTS,
        "Losses": {
            "job_id": _ID,
            "models": [
                {
                    "model": "discrete-8",
                    **_HISTORY,
                    "train": {"terminal_loss": 0.000625436, "r2": 0.999844},
                    "validation": None,
                }
            ],
        },
        "Plots": {
            "job_id": _ID,
            "plots": [
                {
                    "name": name,
                    "title": title,
                    "description": description,
                    "width": width,
                    "height": height,
                    "href": f"{_JOB}/plots/{name}",
                    "forms": [*STORED_FORMS, *RENDERED_FORMS],
                }
                for name, title, width, height, description in (
                    ("minima", "Minima by depth", 389, 445, _MINIMA),
                    (
                        *("parameters", "Parameters over the layers", 355, 242),
                        (
                            "2 of 2 entries of the parameters against time, for 3 models. K[1, 1] of the continuum"
                            " runs between 0.838 and 1.26; it is apart from that of depth 8 by 0.0302 at most."
                        ),
                    ),
                    (
                        *("trajectories", "Samples on their way through the network", 365, 442),
                        (
                            "2 of 2 training samples, from their inputs to the last state of the continuum. At the"
                            " end depth 8 is apart from it by 0.247 at most."
                        ),
                    ),
                )
            ],
            "withheld": {
                "decision_boundaries": "the targets are numbers, and have no classes to decide between",
                "branches": "every start led to the same minimum, so there is one branch only",
            },
            "links": {"self": f"{_JOB}/plots", "job": _JOB},
        },
        "MinimaData": {
            "plot": "minima",
            "depths": [
                {"depth": 8, "objective": 0.0978595, "slope": 0.0694834, "converged": True},
                {"depth": 16, "objective": 0.0935512, "slope": 0.0700349, "converged": True},
            ],
            "limit": 0.089174,
            "limit_is": "trained",
            "predicted_slope": 0.0705328,
        },
        "VegaLite": {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json",
            "description": _MINIMA,
            "title": {"text": "Minima by depth", "subtitle": ["Dots: trained networks"]},
        },
        "DiscreteParameters": {
            "model": "discrete-8",
            "K": [[[k]] for k in (0.868235, 0.96284, 1.04367, 1.11084, 1.16447, 1.20461, 1.23135, 1.2447)],
            "b": [[0.0]] * 8,
            "W": [[0.702794]],
            **_MODEL,
        },
        "ContinuumParameters": {
            "model": "continuum",
            "basis": {"family": "legendre", "degree": 8},
            "coefficients": {"K": [[[k]] for k in (1.11741, 0.209515, -0.0698382, *[0.0] * 6)], "b": [[0.0]] * 9},
            "W": [[0.647324]],
            **_MODEL,
            "grid": {"t": [0.0, 0.5, 1.0], "K": [[[0.838058]], [[1.15233]], [[1.25709]]], "b": [[0.0]] * 3},
        },
        "ModelPredictions": {
            "model": "discrete-8",
            "predictions": [[1.97499], [-1.97499]],
            "class_names": None,
            "label_names": None,
        },
        "ModelStates": {
            "model": "discrete-8",
            "t": [k / 8 for k in range(9)],
            "states": [
                [[x], [-x]] for x in (1.0, 1.10853, 1.24195, 1.40397, 1.59892, 1.83165, 2.10746, 2.43183, 2.8102)
            ],
        },
        "Dataset": DATASET,
        "DatasetPreview": PREVIEW,
        "DatasetPage": {"items": [DATASET], "next_cursor": None, "left_out": 0},
        "Capabilities": {
            "version": VERSION,
            "kinds": {"train": {"type": "object"}},
            "activations": ["identity", "tanh"],
            "losses": {"squared_error": "identity"},
            "bases": ["auto", "legendre", "piecewise_linear"],
            "datasets": {"iris": {"features": 4, "samples": 150, "targets": "classes", "classes": 3}},
            "upload_media_types": ["text/csv"],
            "limits": LIMITS.model_dump(),
            "devices": ["cpu"],
            "workers": [{"id": "host-1787-71b6e7", "devices": ["cpu"]}],
        },
        "Health": {"status": "ready"},
        "Problem": _PROBLEM,
    }
)
"""By the names of their schemas."""
