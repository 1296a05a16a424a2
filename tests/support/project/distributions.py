"""Installed distributions: what an extra of this project comes to here, and how large it is."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(name: str, extras: set[str]) -> list[Requirement]:
    """What a distribution asks for; this project as its pyproject.toml says, whatever is installed of it."""
    if canonical(name) == "deeplimit":
        lines = [*PROJECT["dependencies"]]
        for extra in extras:
            lines += PROJECT["optional-dependencies"][extra]
        return [Requirement(line) for line in lines]
    asked = [Requirement(line) for line in distribution(name).requires or ()]
    return [
        one for one in asked if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras or {""})
    ]


def resolved(name: str, *extras: str) -> set[str]:
    """Return the distributions that an installation brings, those that they bring included, without itself."""
    found: dict[str, set[str]] = {}
    waiting = [(name, {*extras})]
    while waiting:
        one, wanted = waiting.pop()
        key = canonical(one)
        if key in found and wanted <= found[key]:
            continue
        found[key] = found.get(key, set()) | wanted
        waiting += [(asked.name, set(asked.extras)) for asked in requirements(one, wanted)]
    return set(found) - {canonical(name)}


def size(names: set[str]) -> int:
    """Bytes of the files of installed distributions, what Python compiles of them included."""
    total = 0
    for name in names:
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            raise AssertionError(f"{name} is asked for and not installed") from None
        for file in files:
            path = Path(str(file.locate()))
            total += path.stat().st_size if path.exists() else 0
    return total


def top_level_names(names: set[str]) -> set[str]:
    """Modules that belong to the distributions."""
    return {
        module for module, owners in packages_distributions().items() if {canonical(owner) for owner in owners} & names
    }
