"""The Makefile's promises, read from what make would do."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Makefile", "pyproject.toml", "constraints.txt")


def make(where: Path, *arguments: str) -> str:
    """Output of make, unaffected by a make that runs these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=where, env=environment, check=True, capture_output=True, text=True
    ).stdout


def plan(target: str, where: Path) -> str:
    """What `make TARGET` would run in `where`, without running it."""
    return make(where, "-n", target)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


@pytest.fixture
def installed(clone: Path) -> Path:
    (clone / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", ".installed-worker", ".installed-dev", ".installed-bench"):
        (clone / ".venv" / name).touch()
    return clone


def installs(text: str) -> list[str]:
    return re.findall(r"pip install .*", text)


@pytest.mark.parametrize(
    ("target", "extras"),
    [
        ("demo", ".[worker]"),
        ("test", ".[worker,dev]"),
        ("coverage", ".[worker,dev]"),
        ("chaos", ".[worker,dev]"),
        ("bench", ".[bench]"),
    ],
)
def test_from_nothing_everything_is_set_up_with_the_constraints(clone: Path, target: str, extras: str) -> None:
    text = plan(target, clone)
    assert "-m venv .venv" in text
    (install,) = installs(text)
    assert "-c constraints.txt" in install
    assert f'-e "{extras}"' in install


@pytest.mark.parametrize("target", ["demo", "test", "serve", "chaos", "bench"])
def test_nothing_is_installed_again_until_the_requirements_change(installed: Path, target: str) -> None:
    assert not installs(plan(target, installed))
    stamp = (installed / ".venv" / ".installed-dev").stat().st_mtime
    os.utime(installed / "constraints.txt", (stamp + 5, stamp + 5))
    assert len(installs(plan(target, installed))) == 1


def test_the_test_target_runs_every_check(installed: Path) -> None:
    text = plan("test", installed)
    for check in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "bin/lint-imports",
        "service.api.write_openapi --check",
        "sphinx-build",
        "--dist loadfile",
    ):
        assert check in text


def test_what_is_named_together_is_done_one_after_the_other(clone: Path) -> None:
    """`make clean test` would otherwise delete what the tests run in."""
    with (clone / "Makefile").open("a") as file:
        file.write("\none two: ; @echo flags: $(MAKEFLAGS)\n")
    assert "-j" in make(clone, "one")
    assert "-j" not in make(clone, "one", "two")


def test_continuous_integration_runs_the_test_target() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "make test" in text
    assert "install chromium" in text


def test_every_target_is_explained(clone: Path) -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert re.findall(r"make (\w+)", make(clone)) == phony[1].split()
