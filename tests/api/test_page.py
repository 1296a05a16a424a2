"""The page's files over HTTP: types, policy, tags and places; and what must not stand in them."""

from __future__ import annotations

import gzip
import hashlib
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from service.api.main import create_app
from service.config import Settings
from tests.support.api import serving
from tests.support.http.published import checked
from tests.support.markdown import ROOT, Page, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "service" / "page"
VENDORED = FOLDER / "vendor"
ENDINGS = {".js", ".css", ".html"}
SOURCES = sorted(path for path in FOLDER.rglob("*") if path.suffix in ENDINGS and VENDORED not in path.parents)
SCRIPTS = [path for path in SOURCES if path.suffix == ".js"]
PARSES_OR_RUNS_TEXT = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function"
    r"|localStorage|sessionStorage|document\.cookie|indexedDB"
)
MOST_LINES = 250


@pytest.fixture(scope="module")
def plain(base_url: str) -> Iterator[httpx.Client]:
    """A client that does not hold the page's files against the API's document, where they are not."""
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        yield client


def test_the_page_is_served_under_a_policy_that_lets_no_text_run(api: httpx.Client) -> None:
    answer = api.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe-eval" not in str(policy)
    assert not re.search(r"https?:|\*", str(policy)), "no other host"
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|style=", answer.text) == []
    assert api.head("/").headers["etag"] == answer.headers["etag"]


def test_everything_that_the_page_names_is_there(plain: httpx.Client) -> None:
    named = re.findall(r'(?:href|src)="(page/[^"]+)"', plain.get("/").text)
    assert len(named) >= 4
    for path in named:
        assert plain.get(f"/{path}").status_code == 200
    for path in SCRIPTS:
        for imported in re.findall(r'(?:from|import\() ?"(\.[^"]+)"', path.read_text()):
            assert (path.parent / imported).resolve().is_file(), (path, imported)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("style/base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/vega-6.4.0.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_have_types_tags_and_are_compressed(plain: httpx.Client, path: str, media_type: str) -> None:
    content = (FOLDER / path).read_bytes()
    with plain.stream("GET", f"/page/{path}", headers={"Accept-Encoding": "identity"}) as answer:
        assert b"".join(answer.iter_raw()) == content
    assert answer.headers["content-type"] == media_type
    assert ("immutable" in answer.headers["cache-control"]) is path.startswith("vendor/")
    with plain.stream("GET", f"/page/{path}", headers={"Accept-Encoding": "gzip"}) as packed:
        sent = b"".join(packed.iter_raw())
    if len(content) >= 1024:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(sent) == content
        assert len(sent) < 0.6 * len(content)
        assert packed.headers["etag"] != answer.headers["etag"]
    again = plain.get(f"/page/{path}", headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert plain.get(f"/page/{path}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/nope.js",
        "/page/index.html",
        "/page/../config.py",
        "/page/%2e%2e/config.py",
        "/page/vendor/README.md",
        "/nope",
    ],
)
def test_what_is_not_there_is_a_problem_as_ever(plain: httpx.Client, path: str) -> None:
    answer = plain.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_the_page_takes_no_other_method(plain: httpx.Client) -> None:
    for path in ("/", "/page/app.js"):
        answer = plain.post(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_below_a_prefix_the_page_names_its_files_there(settings: Settings) -> None:
    below = Settings(**settings.model_dump() | {"root_path": "/deep/limit"})
    with serving(create_app(below)) as url, checked(url) as client:
        for start in ("/", "/deep/limit/", "/deep/limit"):
            named = re.findall(r'(?:href|src)="([^"#][^"]*)"', client.get(start).text)
            assert named
            assert all(name.startswith("/deep/limit/page/") for name in named)


def test_the_page_can_be_switched_off(settings: Settings) -> None:
    without = Settings(**settings.model_dump() | {"page": False})
    with serving(create_app(without)) as url, checked(url) as client:
        for path in ("/", "/page/app.js"):
            assert client.get(path).status_code == 404
        assert "/" not in client.get("/openapi.json").json()["paths"]
        assert client.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_sources_parse_no_text_keep_nothing_and_are_short(path: Path) -> None:
    text = path.read_text()
    assert PARSES_OR_RUNS_TEXT.findall(text) == []
    assert re.findall(r"https?://(?!www\.w3\.org)[\w.]+", text) == [], "no other host"
    assert len(text.splitlines()) <= MOST_LINES


def test_the_code_of_others_is_what_its_list_says() -> None:
    rows = {code_of(row[0])[0]: code_of(row[-1])[0] for row in Page(VENDORED / "README.md").rows("file")}
    assert set(rows) == {path.name for path in VENDORED.glob("*.js")}
    for name, sha256 in rows.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == sha256
    assert {path.name for path in VENDORED.glob("LICENSE*")} == {"LICENSE-vega", "LICENSE-vega-lite"}
