"""Examples of specifications and answers for the OpenAPI document, one job from its specification to what comes of it.

They are what the service answered, with fewer digits and without what an answer may leave out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from service.contract.train.request import TrainSpec
from service.contract.train.resolve import resolve_train
from service.contract.values.limits import LIMITS
from service.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_ID, _EVALUATION = "3b9f0c1e7a5d4c0f9f0e6a1b2c3d4e5f", "4e12855a36b042c98e81df43bebc6e41"
_JOB = f"/v1/jobs/{_ID}"
_UPLOAD = "712dd1f4ccceaf52db33fbf2a07f723e70aeed44c0bfc0a369a9c45bf5f402ef"
_WEIGHTS = {
    8: "cd7981f01c822fa8657c1824b2c631b2fc21222d24210f41b66d59f24335c51b",
    16: "24d7ae9c51cdaf33c881b5b575bb116645d70e8c3cfe7328a503903687646c62",
}
CSV = "left,right,side\n0,1,down\n1,0,up\n2,1,up\n1,2,down\n"

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
_EVALUATE: Json = {"kind": "evaluate", "job_id": _ID, "depths": [256], "outputs": ["predictions", "states", "metrics"]}
_DIAGNOSE: Json = {"kind": "diagnose", "networks": [{"dataset_id": weights} for weights in _WEIGHTS.values()]}

_RESOLVED: Json = resolve_train(TrainSpec.model_validate(_TRAIN), LIMITS).spec.model_dump(mode="json")
_LISTED: Json = {
    "id": _ID,
    "kind": "train",
    "status": "running",
    "done": False,
    "revision": 3,
    "attempt": 1,
    "name": "two points",
    "external_id": None,
    "metadata": {},
    "progress": {
        "phase": "discrete",
        "model": "discrete-16",
        "fraction": 0.42,
        "eta_s": 1.3,
        "objective": 0.0935512,
        "gradient_norm": 3e-5,
    },
    "error": None,
    "created_at": "2026-11-26T10:00:00Z",
    "started_at": "2026-11-26T10:00:01Z",
    "finished_at": None,
    "updated_at": "2026-11-26T10:00:02Z",
    "links": {"self": _JOB, "results": f"{_JOB}/results", "cancel": f"{_JOB}/cancel"},
}


def _fit(model: str, objective: float, loss: float, depth: int) -> Json:
    """How a fit ended whose K is an array (depth, 1, 1), or has so many coefficients."""
    shapes = {"K": [depth, 1, 1], "b": [depth, 1], "W": [1, 1], "c": [1]}
    return {
        "model": model,
        "status": "converged",
        "objective": objective,
        "terminal_loss": loss,
        "regularisation": {"K": 0.0474, "b": 0.0, "W": 0.0456, "c": 0.0},
        "gradient_norm": 5.4e-9,
        "iterations": 36,
        "evaluations": 46,
        "hessian_products": 0,
        "wall_time_s": 0.15,
        "train": {"terminal_loss": loss, "r2": 0.9998},
        "validation": None,
        "parameters": {
            "href": f"{_JOB}/results/parameters?model={model}",
            "arrays": {name: {"shape": shape, "dtype": "float64"} for name, shape in shapes.items()},
            "sha256": "b306da538c88e55cddadb42582c7abb42b7b6806b0d0087bf49405e6503cc94f",
        },
    }


_DIAGNOSTICS: Json = {
    "assumptions": [
        {"name": "sigma_vanishes_at_zero", "holds": True, "detail": "identity has σ(0) = 0"},
    ],
    "minima": {
        "continuum": 0.089174,
        "depths": [
            {"depth": 8, "objective": 0.0978595, "gap": 0.00868542, "order": None, "withheld": {}},
            {"depth": 16, "objective": 0.0935512, "gap": 0.00437718, "order": 0.988593, "withheld": {}},
        ],
    },
    "branches": [],
    "verdict": {
        "converges": True,
        "statements": ["From depth 8 to 16 the order of the minima is 0.989; 1 is expected."],
    },
}
_PROVENANCE: Json = {
    "spec_sha256": "ab0b8f2ccb38ef12f8510d284c5006b2f6adadb04023e280e72f64d173030756",
    "seed": 0,
    "torch": "2.13.0",
    "device": "cpu",
    "dtype": "float64",
    "version": VERSION,
    "wall_time_s": 1.76,
}
_RESULTS: Json = {
    "job_id": _ID,
    "models": [
        _fit("discrete-8", 0.0978595, 0.000625436, 8) | {"kind": "discrete", "depth": 8},
        _fit("discrete-16", 0.0935512, 0.000532988, 16) | {"kind": "discrete", "depth": 16},
        _fit("continuum", 0.089174, 0.000448408, 9)
        | {"kind": "continuum", "basis": {"family": "legendre", "degree": 8}, "steps": 64, "tolerance_reached": 9e-10},
    ],
    "diagnostics": _DIAGNOSTICS,
    "provenance": _PROVENANCE,
    "links": {"self": f"{_JOB}/results", "job": _JOB, "losses": f"{_JOB}/results/losses"},
}
_HISTORY = {
    "objective": [4.22581, 0.0978595],
    "terminal_loss": [3.98978, 0.000625436],
    "gradient_norm": [1.46, 6.4e-8],
    "regularisation": {"K": [0.104518, 0.047842], "b": [0.0927, 0.0], "W": [0.0114, 0.049392], "c": [0.0274, 0.0]},
}
_OUTPUT = f"/v1/jobs/{_EVALUATION}/results"
_EVALUATION_RESULTS: Json = {
    "job_id": _EVALUATION,
    "evaluated_job_id": _ID,
    "data": {"source": "job", "samples": 2, "targets": True},
    "evaluations": [
        {
            "model": "discrete-8",
            "kind": "discrete",
            "depth": 8,
            "steps": None,
            "integration_error": None,
            "metrics": {"terminal_loss": 0.000625436, "r2": 0.999844},
            "predictions": {
                "href": f"{_OUTPUT}/predictions?model=discrete-8",
                "arrays": {"predictions": {"shape": [2, 1], "dtype": "float64"}},
                "sha256": "3e3940c342cdde39e2570abf13723d5c256010be0efe77a490d747e890cb6a67",
            },
        }
    ],
    "provenance": _PROVENANCE,
    "links": {"self": _OUTPUT, "job": f"/v1/jobs/{_EVALUATION}"},
}
_MODEL: Json = {
    "W": [[0.647324]],
    "c": [0.0],
    "input_dim": 1,
    "state_dim": 1,
    "standardisation": {"mean": None, "scale": None, "target_mean": None, "target_scale": None},
}
_DATASET: Json = {
    "id": _UPLOAD,
    "kind": "samples",
    "name": "sides",
    "format": "csv",
    "dropped_rows": 0,
    "uploaded_bytes": len(CSV),
    "bytes": 400,
    "created_at": "2026-11-26T10:00:00Z",
    "samples": 4,
    "features": 2,
    "columns": ["left", "right"],
    "targets": {"kind": "classes", "outputs": 1, "class_counts": [2, 2], "class_names": ["down", "up"]},
    "depth": None,
    "state_dim": None,
    "links": {"self": f"/v1/datasets/{_UPLOAD}"},
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

EXAMPLES: Mapping[str, Json] = MappingProxyType(
    {
        "TrainSpec": _TRAIN,
        "EvaluateSpec": _EVALUATE,
        "DiagnoseSpec": _DIAGNOSE,
        "DryRun": {
            "spec": _RESOLVED,
            "estimate": {"parameters": 36, "memory_bytes": 27936, "work_flops": 509400.0},
        },
        "Job": {**_LISTED, "spec": _RESOLVED},
        "JobPage": {"items": [_LISTED], "next_cursor": None},
        "Results": _RESULTS,
        "Diagnostics": _DIAGNOSTICS,
        "EvaluationResults": _EVALUATION_RESULTS,
        "Losses": {
            "job_id": _ID,
            "models": [
                {
                    "model": "discrete-8",
                    **_HISTORY,
                    "train": {"terminal_loss": 0.000625, "r2": 0.9998},
                    "validation": None,
                }
            ],
        },
        "DiscreteParameters": {
            "model": "discrete-2",
            "K": [[[0.868235]], [[1.20461]]],
            "b": [[0.0], [0.0]],
            **_MODEL,
        },
        "ContinuumParameters": {
            "model": "continuum",
            "basis": {"family": "legendre", "degree": 1},
            "coefficients": {"K": [[[1.11741]], [[0.209514]]], "b": [[0.0], [0.0]]},
            **_MODEL,
            "grid": {"t": [0.0, 1.0], "K": [[[0.907896]], [[1.326924]]], "b": [[0.0], [0.0]]},
        },
        "ModelPredictions": {"model": "discrete-8", "predictions": [[1.97499], [-1.97499]], "class_names": None},
        "ModelStates": {"model": "discrete-2", "t": [0.0, 0.5, 1.0], "states": [[[1.0]], [[1.434]], [[2.297]]]},
        "Dataset": _DATASET,
        "DatasetPage": {"items": [_DATASET], "next_cursor": None},
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
