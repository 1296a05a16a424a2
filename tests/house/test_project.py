"""The files beside the code that repeat something of it: citation, changelog, hooks, workflow, editor settings."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from typing import Any

import yaml

from tests.support.markdown import ROOT, Page

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
RECIPES = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")


def document(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def recipe(target: str) -> list[str]:
    """Return the lines of a target, after those of the targets that it is made of."""
    found = re.search(rf"^{target}:(.*)\n((?:\t.*\n)*)", RECIPES, re.MULTILINE)
    assert found is not None
    parts = [part for part in found[1].partition("##")[0].split() if not part.startswith("$")]
    return [line for part in parts for line in recipe(part)] + [line.strip() for line in found[2].splitlines()]


def test_the_citation_names_the_software_and_the_paper() -> None:
    citation = document("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation), "what the format requires"
    assert citation["version"] == VERSION
    assert (citation["type"], citation["license"]) == ("software", "MIT")
    (paper,) = citation["references"]
    assert paper["type"] == "article"
    assert [author["family-names"] for author in paper["authors"]] == ["Thorpe", "Gennip"]
    assert (paper["year"], paper["volume"], paper["start"]) == (2023, 10, 6)
    assert re.fullmatch(r"10\.\d{4,}/\S+", paper["doi"])


def test_the_changelog_has_this_version() -> None:
    headings = Page(ROOT / "CHANGELOG.md").headings
    versions = [heading for heading in headings if heading.startswith("[")]
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in versions[1:])
    assert versions[1].startswith(f"[{VERSION}]")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(headings) - set(versions) - {"Changelog"} <= kinds


def test_the_hooks_are_the_checks_of_make_lint() -> None:
    hooks = [hook for repository in document(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    entries = [hook["entry"].removesuffix(" --force-exclude") for hook in hooks]
    assert entries == [line.removesuffix(" .") for line in recipe("lint")]
    assert {hook["language"] for hook in hooks} == {"system"}, "nothing is downloaded"
    for hook, line in zip(hooks, recipe("lint"), strict=True):
        assert hook.get("pass_filenames", True) is (shlex.split(line)[-1] == ".")


def test_the_workflow_runs_the_two_commands() -> None:
    (job,) = document(".github/workflows/ci.yml")["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    commands = [step["run"].split()[:2] for step in job["steps"] if "run" in step]
    assert commands == [["google-chrome", "--version"], ["make", "test"], ["make", "demo"]]


def test_editors_are_told_the_line_length_that_is_linted() -> None:
    settings = configparser.ConfigParser()
    settings.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert settings.getint("*.py", "max_line_length") == ruff["line-length"]
