"""The floor plan: no circle of imports, no crowded folder, no endless file. What may import what is import-linter's."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_MODULES = 16
MOST_LINES = 400
WALL_TIME = re.compile(r"assert .*(?:monotonic|perf_counter|time)\(\) - \w+ <|assert .*\b(?:took|taken|elapsed)\b.* <")


def tracked(*patterns: str) -> list[Path]:
    """Python files that git knows, or would if they were added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [path for name in names if (path := ROOT / name).exists()]


def modules(root: Path, files: list[Path]) -> dict[str, Path]:
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(path: Path, known: set[str]) -> set[str]:
    """Modules of ours that a file imports, those for types alone included."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= inside & known or {node.module}
    return named & known


def check_circles(root: Path, files: list[Path]) -> None:
    paths = modules(root, files)
    graph = {name: imports(path, set(paths)) - {name} for name, path in paths.items()}
    TopologicalSorter(graph).prepare()


def crowded(files: list[Path]) -> dict[Path, int]:
    counts = Counter(path.parent for path in files if path.name != "__init__.py")
    return {folder: count for folder, count in counts.items() if count > MOST_MODULES}


def endless(files: list[Path]) -> dict[Path, int]:
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    return {path: length for path, length in lengths.items() if length > MOST_LINES}


def timed(files: list[Path]) -> list[Path]:
    return [path for path in files if WALL_TIME.search(path.read_text())]


def test_no_module_imports_itself_in_the_end() -> None:
    check_circles(ROOT, tracked("deeplimit/*.py", "service/*.py", "worker/*.py"))


def test_no_folder_is_crowded() -> None:
    assert crowded(tracked("*.py")) == {}


def test_no_file_is_endless() -> None:
    assert endless(tracked("*.py", "*.lua")) == {}


def test_no_test_asserts_a_wall_time() -> None:
    assert timed([path for path in tracked("tests/*.py") if path != Path(__file__)]) == []


def test_the_checks_can_fail(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from b import x\n")
    (tmp_path / "b.py").write_text("import a\n")
    with pytest.raises(CycleError):
        check_circles(tmp_path, sorted(tmp_path.glob("*.py")))
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST_LINES + 1))
    assert list(endless(sorted(tmp_path.glob("*.py")))) == [tmp_path / "long.py"]
    (tmp_path / "timed.py").write_text("import time\nbegin = time.monotonic()\nassert time.monotonic() - begin < 2\n")
    assert timed(sorted(tmp_path.glob("*.py"))) == [tmp_path / "timed.py"]
    for number in range(MOST_MODULES):
        (tmp_path / f"m{number}.py").write_text("")
    assert crowded(sorted(tmp_path.glob("*.py"))) == {tmp_path: MOST_MODULES + 4}
