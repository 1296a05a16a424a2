"""The contract is a leaf: it can be imported without a web framework, arrays or a store."""

from __future__ import annotations

import subprocess
import sys

from service.contract import results
from tests.support.api import losses
from tests.support.api import results as made_up

MODULES = (
    "arrays",
    "data",
    "dataset",
    "diagnose",
    "errors",
    "estimate",
    "estimate_evaluate",
    "estimate_train",
    "evaluate",
    "job",
    "kinds",
    "limits",
    "names",
    "resolve",
    "results",
    "results_kinds",
    "spec",
)


def test_imports() -> None:
    imports = ", ".join(f"service.contract.{name}" for name in MODULES)
    forbidden = {"fastapi", "starlette", "numpy", "redis", "celery", "torch", "service.config"}
    code = f"import sys, {imports}; sys.exit(' '.join({forbidden!r} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_results_are_written_as_they_were_set() -> None:
    body = made_up(8, 2)
    found = results.ResultsFile.model_validate(body)
    assert results.ResultsFile.model_validate_json(results.to_json(found)) is not None
    assert b'"objective":"NaN"' in results.to_json(found)
    assert b'"minimisers"' not in results.to_json(found)
    assert results.to_json(results.Losses.model_validate(losses("x"))).startswith(b'{"job_id":"x"')
