"""Sphinx makes a site of the pages: what `make lint` builds without a warning, and that wrong pages would be found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.markdown import ROOT, Page, tracked

if TYPE_CHECKING:
    from pathlib import Path


def warnings(root: Path, out: Path) -> str:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "dummy"]
    done = subprocess.run(
        [*command, "--conf-dir", "docs", ".", str(out)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr


GOOD = {
    "docs/index.md": "# Index\n\n[One](one.md) and [the readme](../README.md)\n",
    "docs/one.md": "# One\n\n## Two\n\n```json\n{}\n```\n\n```mermaid\nflowchart\n```\n",
    "README.md": "# Read\n\n[here](docs/one.md#two), [file](docs/conf.py), [there](https://a.example)\n",
}
MISTAKES = {
    "[a](gone.md)": "'gone.md'",
    "[a](one.md#three)": "three",
    "[a](#nowhere)": "'nowhere'",
    "![a](gone.png)": "gone.png",
    "[a](../docs/)": "'../docs/'",
    "#### B": "Non-consecutive header level",
}


def site(place: Path, pages: dict[str, str]) -> Path:
    """Write a small site under the same configuration."""
    (place / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", place / "docs" / "conf.py")
    for name, text in pages.items():
        (place / name).write_text(text)
    return place


def test_a_site_without_mistakes_is_built(tmp_path: Path) -> None:
    assert warnings(site(tmp_path, GOOD), tmp_path / "out") == ""


def test_mistakes_are_found(tmp_path: Path) -> None:
    """Each on a page of its own, none of which the index lists."""
    pages = {f"docs/mistake-{i}.md": f"# M\n\n{text}\n" for i, text in enumerate(MISTAKES)}
    found = warnings(site(tmp_path, GOOD | pages), tmp_path / "out").splitlines()
    for i, why in enumerate(MISTAKES.values()):
        about = [line for line in found if f"mistake-{i}.md" in line]
        assert any(why in line for line in about), about
        assert any("toctree" in line for line in about), about


def test_every_page_is_in_the_site() -> None:
    """The index lists all of them, wherever they stand, itself left out."""
    index = Page(ROOT / "docs" / "index.md")
    linked = {str((index.path.parent / link).resolve().relative_to(ROOT)) for link in index.links if "#" not in link}
    of_others = {"service/page/vendor/README.md"}  # for who keeps the code, and no page
    assert {str(path) for path in tracked("*.md")} - {"docs/index.md"} - of_others <= linked


def test_it_goes_where_git_does_not_look() -> None:
    recipe = (ROOT / "Makefile").read_text()
    assert "-c docs . build/docs" in recipe
    ignored = subprocess.run(["git", "check-ignore", "-q", "build/docs/index.html"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
