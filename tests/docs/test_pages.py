"""Every block of code of every page, run or checked as docs/index.md says, and that wrong ones would be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.answers import same_json, same_text
from tests.docs.blocks import KINDS, Block, blocks
from tests.docs.commands import check_commands
from tests.support.markdown import ROOT, Page, code_of, tracked_pages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.running import Running

PAGES = [page for page in tracked_pages() if any(token.type in {"fence", "code_block"} for token in page.tokens)]


def name_of(page: Page) -> str:
    return str(page.path.relative_to(ROOT))


@pytest.mark.e2e
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_of_a_page_does_what_the_page_says(page: Page, running: Running) -> None:
    for block in blocks(page):
        running.run(block, name_of(page))


def test_the_index_says_what_becomes_of_each_class() -> None:
    rows = Page(ROOT / "docs" / "index.md").rows("class")
    assert [kind for row in rows for kind in code_of(row[0])] == list(KINDS)


# Wrong blocks are found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["```\nx\n```", "```cobol\nx\n```", "```bash refuse=404\nx\n```", "a\n\n    x\n"])
def test_a_block_without_a_known_class_is_refused(tmp_path: Path, code: str) -> None:
    (tmp_path / "page.md").write_text(code)
    with pytest.raises(ValueError, match=r"page\.md:"):
        blocks(Page(tmp_path / "page.md"))


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("bash", "curl -s http://127.0.0.1:8000/v1/nothing", "404"),
        ("bash", "curl -s http://127.0.0.1:8000/livez\nfalse", "1"),
        ("python", "assert 1 == 2", "AssertionError"),
        ("json", '{"kind": "train", "data": {"source": "builtin", "name": "irises"}}', "invalid_spec"),
        ("json", "{'kind': 'train'}", "double quotes"),
        ("json", '{"kind": "train", "id": "ab", "status": "done"}', "validation error"),
        ("yaml", "a: [", "expected"),
        ("output", "something", ""),
        ("sh", "make everything", "everything"),
    ],
)
def test_a_block_that_fails_is_found(running: Running, kind: str, text: str, why: str) -> None:
    with pytest.raises(AssertionError, match=f"page.md:7: [\\s\\S]*{why}"):
        running.run(Block(kind, (), text, 7), "page.md")


@pytest.mark.e2e
def test_a_claimed_refusal_that_does_not_come_is_found(running: Running) -> None:
    running.run(Block("bash", (404,), "curl -s http://127.0.0.1:8000/v1/jobs/none", 1), "page.md")
    running.run(Block("json", (), '{"code": "job_not_found"}', 2), "page.md")
    with pytest.raises(AssertionError):
        running.run(Block("json", (), '{"code": "not_found"}', 3), "page.md")
    with pytest.raises(AssertionError):
        running.run(Block("bash", (404,), "curl -s http://127.0.0.1:8000/livez", 4), "page.md")


@pytest.mark.parametrize(
    "line",
    [
        "deeplimit learn",
        "deeplimit serve --threads 2",
        "sudo make test",
        "export DEEPLIMIT_NOTHING=1",
        "DEEPLIMIT_NOTHING=1 deeplimit worker",
    ],
)
def test_commands_that_do_not_exist_are_found(line: str) -> None:
    check_commands('make test ARGS="-k moons"\nDEEPLIMIT_PORT=1 deeplimit serve --workers 2  # --nothing\n')
    with pytest.raises(AssertionError):
        check_commands(line)


def test_text_is_compared_with_gaps_and_ids() -> None:
    printed = f"job {'0af1' * 8}  queued\n\n  done in 3.2 s\n"
    assert same_text("job ID queued\ndone in … s", printed)
    assert same_text("job …", printed)
    assert not same_text("job ID queued\ndone in s", printed)
    assert not same_text("job ID", printed)


def test_json_is_compared_by_what_is_shown() -> None:
    answer = {"a": 1, "b": [1, {"c": "x y"}, 3], "d": None, "e": True}
    assert same_json({"a": 1, "b": [1, {"c": "x …"}, "…"], "…": "…"}, answer)
    assert same_json({"b": "…", "d": None}, answer)
    for wrong in ({"a": 2}, {"f": 1}, {"b": [1]}, {"b": [1, "…", 4]}, {"b": [2, "…"]}, {"e": 1}, {"d": 0}, [1]):
        assert not same_json(wrong, answer)


def test_the_names_of_metrics_are_the_services(running: Running) -> None:
    """Every one in the page is answered, and every one that is answered is in the page."""
    text = (ROOT / "docs" / "operating.md").read_text()
    named = set(re.findall(r"`(deeplimit_\w+)", text))
    running.service.client.get("/v1/jobs")
    answered = re.findall(r"^# TYPE (deeplimit_\w+) ", running.service.client.get("/metrics").text, re.MULTILINE)
    assert named == {name for name in answered if not name.endswith("_created")}
