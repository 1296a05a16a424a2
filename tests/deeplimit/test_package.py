"""The package with no more than its base dependencies, and what it says where more is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import deeplimit
import deeplimit.mathematics
from tests.support.project.distributions import resolved, top_level_names

ROOT = Path(__file__).parents[2]

GUARD = """
import sys

class Base:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=top)

sys.meta_path.insert(0, Base())
"""

WORK = """
import deeplimit
from deeplimit import AsyncClient, Client, JobFailed, Results, ServiceError, Unreachable
from deeplimit.client.calls import body_of, submit
from deeplimit.client.progress import progress_of
from deeplimit.client.uploads import upload_of

upload_of([[1.0], [2.0]], ["a", "b"])
body_of({"depths": __import__("numpy").arange(3)})
found = Results(models=[{"model": "discrete-8", "status": "converged", "objective": 0.5}])
assert found.frame() == found.rows("models")
assert "discrete-8" in repr(found) and "discrete-8" in found._repr_html_()
with progress_of(True):
    pass
with Client("http://127.0.0.1:9", retries=0) as client:
    try:
        client.job("a")
    except Unreachable:
        print("unreachable")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code where nothing but the base dependencies and the package itself can be imported."""
    allowed = top_level_names(resolved("deeplimit")) | {"deeplimit"}
    program = f"allowed = {allowed!r}\n{GUARD}\n{code}"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_client_works_with_the_base_dependencies_alone() -> None:
    assert "pandas" not in top_level_names(resolved("deeplimit"))
    done = run(WORK)
    assert (done.returncode, done.stdout) == (0, "unreachable\n"), done.stderr


@pytest.mark.parametrize(
    ("name", "extra"),
    [("train", "worker"), ("Problem", "worker"), ("Wanted", "worker"), ("DeepLimitClassifier", "estimators")],
)
def test_a_name_says_the_extra_that_it_needs(name: str, extra: str) -> None:
    done = run(f"from deeplimit import {name}")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"deeplimit.{name} needs " in last
    assert last.endswith(f"pip install 'deeplimit[{extra}]'")


def test_tracking_says_the_extra_that_it_needs() -> None:
    done = run("from deeplimit import log_to_mlflow\nlog_to_mlflow(None)")
    assert done.stderr.splitlines()[-1].endswith("log_to_mlflow needs MLflow: pip install 'deeplimit[mlflow]'")


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, deeplimit; print({'numpy', 'httpx', 'torch'} & set(sys.modules))"
    assert run(code).stdout == "set()\n"


def test_every_name_is_there() -> None:
    assert {name for name in deeplimit.__all__ if getattr(deeplimit, name, None) is None} == set()
    assert dir(deeplimit) == sorted(deeplimit.__all__)
    assert set(deeplimit.mathematics.__all__) <= set(deeplimit.__all__)
    assert deeplimit.train is deeplimit.mathematics.train
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        deeplimit.fit  # noqa: B018 - what is asked for is what fails


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert public(deeplimit.Client) == public(deeplimit.AsyncClient)
    assert public(deeplimit.Job) == public(deeplimit.AsyncJob)
