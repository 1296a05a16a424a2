"""The contract is a leaf: it can be imported without a web framework, arrays or a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from service.contract.results import to_json
from service.contract.train import results
from tests.support.api import losses
from tests.support.api import results as made_up

ROOT = Path(__file__).parents[2]
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "service/contract").rglob("*.py")]


def test_imports() -> None:
    imports = ", ".join(name.removesuffix(".__init__") for name in MODULES)
    forbidden = {"fastapi", "starlette", "numpy", "redis", "celery", "torch", "service.config"}
    code = f"import sys, {imports}; sys.exit(' '.join({forbidden!r} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_results_are_written_as_they_were_set() -> None:
    body = made_up(8, 2)
    found = results.ResultsFile.model_validate(body)
    assert results.ResultsFile.model_validate_json(to_json(found)) is not None
    assert b'"objective":"NaN"' in to_json(found)
    assert b'"minimisers"' not in to_json(found)
    assert to_json(results.Losses.model_validate(losses("x"))).startswith(b'{"job_id":"x"')
