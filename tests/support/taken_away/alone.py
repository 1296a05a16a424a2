"""An interpreter that has torch and nothing else: not this project, not numpy, not what else the tests have."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from pathlib import Path


def distributions_of(name: str, found: set[str] | None = None) -> set[str]:
    """A distribution and all that it asks for, without extras."""
    found = set() if found is None else found
    if name in found:
        return found
    try:
        asked = distribution(name).requires or []
    except PackageNotFoundError:
        return found
    found.add(name)
    for line in asked:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            distributions_of(requirement.name, found)
    return found


def packages_alone(folder: Path, name: str) -> Path:
    """Fill a folder with links to the packages of a distribution and of what it asks for."""
    folder.mkdir()
    for entry in distributions_of(name):
        found = distribution(entry)
        for file in {path.parts[0] for path in found.files or () if path.parts[0] not in {"..", "__pycache__"}}:
            link = folder / file
            if not link.exists():
                link.symlink_to(str(found.locate_file(file)))
    return folder


def run_alone(packages: Path, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, which it may import from, with these packages and the standard library."""
    path = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(packages)!r}]\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + script],
        cwd=folder,
        env={"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
