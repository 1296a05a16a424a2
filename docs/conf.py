"""How Sphinx makes the pages into a site: every Markdown file of the repository that is written for its users.

The pages are plain Markdown, so that they read the same where the repository is browsed. ``make lint`` writes the site
to ``build/docs``; a link that leads to no file or no heading, a page that the index does not list and code that is not
of the language it says it is are warnings, and warnings are errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "deeplimit"
author = "deeplimit contributors"
copyright = author  # noqa: A001  # Sphinx's name for it
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**",
    "examples/README.md",
    "benchmarks/README.md",
]
exclude_patterns = [".*", "**/.*", "build", "tests", "deeplimit-data"]
myst_heading_anchors = 4  # slugs by the rule of the common hosts
html_theme = "furo"
html_title = "deeplimit"
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Add what a plain Markdown page cannot say: the order of the pages, and that diagrams are shown as their text."""
    app.connect("source-read", _contents)
    for name in (
        "mermaid",
        "output",
        "sh",
    ):  # drawn, or shown, by the hosts of the repository; here they are plain text
        app.add_lexer(name, TextLexer)


def _contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Take the order of the pages from the links of the index."""
    if page != app.config.root_doc:
        return
    found = dict.fromkeys(re.findall(r"\[([^\]]+)\]\(([\w./-]+)\.md\)", source[0]))
    entries = "\n".join(f"{title} <{path}>" for title, path in found)
    source[0] += f"\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"
