"""The pages against the repository: paths, what they repeat of the code, and the numbers that docstrings cite.

Links are Sphinx's, code is of tests/docs.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import tomllib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from service.contract.kinds import parse
from service.contract.train.diagnostics import Diagnostics
from service.contract.train.request import TrainSpec
from service.contract.values.errors import ErrorCode
from tests.support.markdown import ROOT, Page, code_of, tracked_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = tracked_pages()
API, ARCHITECTURE, MATHEMATICS, HTTP = (
    Page(ROOT / "docs" / f"{name}.md") for name in ("api", "architecture", "mathematics", "http")
)
TOPS = ("service/", "worker/", "tests/", "docs/", "examples/", "benchmarks/", "openapi/")


def name_of(page: Page) -> str:
    return str(page.path.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def missing_paths(page: Page) -> list[str]:
    """Paths of the repository that are named between backticks and are not there."""
    return [span for span in page.code_spans if span.startswith(TOPS) and not (ROOT / span).exists()]


@each_page
def test_no_page_is_left_unfinished(page: Page) -> None:
    assert "<!--" not in page.path.read_text()


@each_page
def test_named_paths_exist(page: Page) -> None:
    assert missing_paths(page) == []


def test_missing_paths_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text(
        "| `service/gone.py` | `service/contract/` |\n|---|---|\n| `worker/{a,b}.py` | `a/gone.py` |\n"
    )
    assert missing_paths(Page(tmp_path / "bad.md")) == ["service/gone.py", "worker/{a,b}.py"]


# What docstrings and comments cite ---------------------------------------------------------------------------------

DIAGNOSTIC = re.compile(r"(?i:\bdiagnostics?) (\d+(?:(?:, | and )\d+)*)\b")
ANSWER = re.compile(r"(?i:\bproblems?|\bknown answers?) ([A-Z](?:(?:, | and | to )[A-Z])*)\b")


def prose(source: str) -> Iterator[str]:
    """Strings that stand alone, and comments, those on consecutive lines as one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield " ".join(node.value.value.split())
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    ]
    text = ""
    for before, comment in pairwise([None, *comments]):
        assert comment is not None
        if before is not None and comment.start[0] > before.start[0] + 1:
            yield text
            text = ""
        text = f"{text} {comment.string.lstrip('# ')}"
    yield text


def citations(source: str) -> set[str]:
    """Headings that a file's docstrings and comments ask for."""
    cited = set()
    for text in prose(source):
        cited |= {
            f"Diagnostic {number}" for match in DIAGNOSTIC.finditer(text) for number in re.findall(r"\d+", match[1])
        }
        cited |= {
            f"Known answer {letter}" for match in ANSWER.finditer(text) for letter in re.findall(r"[A-Z]", match[1])
        }
    return cited


def test_what_docstrings_cite_has_its_heading() -> None:
    numbered = {heading.partition(":")[0] for heading in MATHEMATICS.headings}
    cited = {
        citation: path
        for room in ("deeplimit", "service", "worker", "tests")
        for path in (ROOT / room).rglob("*.py")
        for citation in citations(path.read_text())
    }
    assert {f"Diagnostic {number}" for number in range(1, 10)} <= set(cited)
    assert {citation: path for citation, path in cited.items() if citation not in numbered} == {}


SOURCE = '''"""Of diagnostics 1, 2 and 31."""
x = 1  # the problem
# G

# a diagnostic

# 7
"""
See known
answers A and Q.
"""
y = "diagnostic 4"
'''


def test_citations_are_seen_wherever_they_stand() -> None:
    """Not across a gap between comments, nor in the text of the program."""
    numbers = {f"Diagnostic {number}" for number in (1, 2, 31)}
    assert citations(SOURCE) == numbers | {f"Known answer {letter}" for letter in "GAQ"}


# What pages repeat of the code -------------------------------------------------------------------------------------


def test_the_directions_are_those_that_are_linted() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    linted = [
        f"{container}: {' > '.join(contract['layers'])}"
        for contract in contracts
        for container in contract.get("containers", ())
    ]
    (block,) = ARCHITECTURE.blocks("text")
    assert block.splitlines() == linted


def test_the_endpoints_are_all_there() -> None:
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text())
    offered = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert sorted(code_of(row[0])[0] for row in API.rows("call")) == sorted(offered)


def test_the_error_codes_are_all_there_and_each_with_what_to_do() -> None:
    named = [code for row in API.rows("status") for code in code_of(row[1])]
    assert sorted(named) == sorted(ErrorCode)
    explained = [code for row in HTTP.rows("code") for code in code_of(row[0])]
    assert sorted(explained) == sorted(ErrorCode)


def test_the_diagnostics_are_all_there() -> None:
    named = [code for row in API.rows("field") for code in code_of(row[0])]
    assert sorted(named) == sorted(Diagnostics.model_fields)


def left_out(model: BaseModel, body: dict[str, Any], at: str = "") -> list[str]:
    """Fields of a specification that an example of it does not name."""
    missing = [f"{at}/{name}" for name in type(model).model_fields if name not in body]
    for name, value in model:
        if isinstance(value, BaseModel) and isinstance(body.get(name), dict):
            missing += left_out(value, body[name], f"{at}/{name}")
    return missing


def test_the_train_specification_shows_every_field() -> None:
    (text,) = (text for text in API.blocks("json") if json.loads(text).get("data", {}).get("source") == "builtin")
    body = json.loads(text)
    assert left_out(parse(body), body) == []
    del body["network"]["fixed"]["K"], body["training"]
    assert left_out(TrainSpec.model_validate(body), body) == ["/training", "/network/fixed/K"]
