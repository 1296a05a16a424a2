"""What is asked for, what is pinned, and what may import what."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.project.distributions import canonical, resolved, size

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED_FOR = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
MB = 10**6


def asked_for() -> dict[str, str]:
    others = (line for line in ASKED_FOR if not line.startswith("deeplimit["))
    pairs = (re.split(r"(?=[<>=!~ \[])", line, maxsplit=1) for line in others)
    return {canonical(name): bound for name, bound in pairs}


def pinned() -> dict[str, str]:
    lines = (line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#"))
    return {canonical(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize(("name", "bound"), asked_for().items())
def test_every_direct_dependency_is_pinned_within_its_bound(name: str, bound: str) -> None:
    version = pinned()[name]
    least = re.fullmatch(r"(?:\[\w+\])?>=([\d.]+)", bound)
    assert least is not None, "a lower bound is all that is asked for; constraints.txt says the rest"
    assert as_numbers(version) >= as_numbers(least[1])


def test_a_client_asks_for_little() -> None:
    assert [re.split(r"\W", line)[0] for line in PROJECT["dependencies"]] == ["httpx", "numpy"]
    assert not {"torch", "pyarrow", "pandas"} & resolved("deeplimit", "server")
    assert {"torch", "scipy", "scikit-learn", "fastapi", "typer"} <= resolved("deeplimit", "worker")
    named = {extra for line in ASKED_FOR for extra in re.findall(r"deeplimit\[(\w+)\]", line)}
    assert named <= set(EXTRAS)


@pytest.mark.parametrize(("extras", "most"), [((), 120 * MB), (("cli",), 150 * MB), (("server",), 220 * MB)])
def test_what_is_installed_is_no_larger_than_it_may_be(extras: tuple[str, ...], most: int) -> None:
    found = size(resolved("deeplimit", *extras))
    assert 20 * MB < found < most, "NumPy alone is more than the least"


def as_numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]


def test_torch_is_pinned_without_a_build() -> None:
    assert pinned()["torch"] == "2.13.0"


def imported(path: Path) -> set[str]:
    """Modules that the file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize(
    ("package", "third_party"),
    [
        ("service/contract", {"pydantic", "pydantic_core"}),
        ("deeplimit/client", {"httpx", "numpy", "pyarrow"}),  # a table of pyarrow is written by pyarrow
        ("deeplimit/mathematics", {"torch", "numpy", "scipy", "sklearn", "numba", "llvmlite"}),
    ],
)
def test_leaves_import_only_what_they_may(package: str, third_party: set[str]) -> None:
    """import-linter forbids what it is told of; this refuses whatever is not allowed."""
    itself = package.replace("/", ".")
    for path in (ROOT / package).rglob("*.py"):
        outside = {name for name in imported(path) if name != itself and not name.startswith(f"{itself}.")}
        assert {name.partition(".")[0] for name in outside} <= third_party | sys.stdlib_module_names, path


@pytest.mark.parametrize(
    "module",
    ["service.api.main", "service.runtime.supervisor", "service.cli.app", "service.cli.demo", "deeplimit.client"],
)
def test_the_service_and_the_command_leave_torch_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'sklearn', 'scipy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_trainer_starts_without_what_few_jobs_need() -> None:
    code = "import sys, worker.execution.kinds; sys.exit(bool({'pandas', 'sklearn', 'scipy.stats'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_needs_neither_the_api_nor_the_client() -> None:
    code = "import sys, service.cli; sys.exit(bool({'fastapi', 'httpx', 'redis', 'celery'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
