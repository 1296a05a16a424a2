"""What a notebook and a terminal are shown of jobs and results."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from deeplimit import Dataset, JobFailed, Results, ServiceError
from deeplimit.client.progress import Bar, Line, Nothing, described, progress_of
from deeplimit.client.records import JobRecord
from deeplimit.client.shown import MOST_ROWS, WIDEST, escaped, shown, text_table
from tests.cli.example import results

if TYPE_CHECKING:
    from collections.abc import Callable

NASTY = "<script>alert('x')</script> & \"more\""


class Tables(HTMLParser):
    """Rows of the tables in HTML, and the tags that there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 - the parser's signature
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_what_is_not_seen_is_written_as_an_escape() -> None:
    hidden = "\t\x1b\x9f\u00ad\u061c\u200b\u200f\u2028\u202e\u2060\u2066\u206f\ufeff\ufff9"
    assert escaped(f"a{hidden}\nb") == "a" + "".join(f"\\u{ord(one):04x}" for one in hidden) + "\nb"


def test_results_in_a_notebook_are_compact() -> None:
    tables = Tables(Results(results())._repr_html_())
    assert tables.rows[:2] == [
        ["model", "status", "E", "accuracy", "|gradient|", "seconds"],
        ["discrete-8", "converged", "0.072273", "0.99297", "8.4e-08", "0.7"],
    ]
    assert tables.rows[6:8] == [
        ["depth", "E", "gap", "order", "n·gap", "predicted n·gap"],
        ["8", "0.072273", "0.0021817", "-", "0.017453", "0.017628"],
    ]
    assert max(len("  ".join(row)) for row in tables.rows) <= WIDEST
    numbers = re.findall(r"(?<=>)[\d.]+(?:e[-+]\d+)?(?=<)", Results(results())._repr_html_())
    assert max(len(re.sub(r"e.*|^0\.0*|\.", "", number)) for number in numbers) <= 6


def test_results_on_a_terminal_are_no_wider_than_a_page() -> None:
    text = repr(Results(results()))
    assert text.startswith("Verdict: converges.")
    assert max(map(len, text.splitlines())) <= WIDEST
    assert re.search(r"^discrete-64 +converged +0\.070383", text, re.MULTILINE)


def test_the_plain_answer_comes_first_where_there_is_one() -> None:
    verdict = {"converges": True, "summary": f"Yes. {NASTY}", "answer": {"depth": 8}, "statements": []}
    found = Results(results() | {"diagnostics": {"verdict": verdict}})
    assert (found.summary, found.answer["depth"], found.converges) == (f"Yes. {NASTY}", 8, True)
    assert repr(found).startswith("Yes. ")
    page = found._repr_html_()
    assert page.startswith("<div><p><strong>Yes. &lt;script&gt;")
    assert Tables(page).tags <= {"div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_results_of_other_kinds_and_of_none() -> None:
    evaluation = {"model": "continuum", "metrics": {"accuracy": 0.96}, "predictions": {"href": "/v1"}, "table": [1]}
    assert Tables(Results(evaluations=[evaluation])._repr_html_()).rows == [
        ["model", "metrics.accuracy"],
        ["continuum", "0.96"],
    ]
    assert repr(Results(odd=1)) == "Results({'odd': 1})"
    assert Results(odd=1)._repr_html_() == "<div></div>"
    assert (Results().summary, Results().answer, Results().converges) == ("", {}, None)


def test_tables_of_results_as_frames_and_as_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Results(results())
    assert {"models", "minima", "minimisers", "states", "lift", "assumptions"} <= set(found.tables)
    frame = found.frame("minimisers")
    assert isinstance(frame, pd.DataFrame)
    assert frame["tl2.total"].tolist() == [0.4 / n for n in (8, 16, 32, 64)]
    assert found.frame()["train.accuracy"].iloc[0] == 0.9929701230228472, "every digit is there"
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert found.frame("minima") == found.rows("minima")
    with pytest.raises(KeyError, match="there are models, "):
        found.frame("orders")


def test_what_others_wrote_steers_no_terminal() -> None:
    nasty = "\x1b[2J\u202eexe"
    verdict = {"converges": None, "summary": nasty + " and more" * 30}
    text = repr(Results(models=[{"model": nasty, nasty: 1}], diagnostics={"verdict": verdict}))
    text += repr(JobRecord(RUNNING | {"name": nasty})) + str(ServiceError(422, "bad", nasty)) + str(JobFailed(FAILED))
    text += described(JobRecord(RUNNING | {"progress": {"phase": nasty}}))
    assert text.count("\\u001b[2J\\u202eexe") == 5
    assert not {"\x1b", "\u202e"} & set(text)
    assert max(map(len, repr(Results(diagnostics={"verdict": verdict})).splitlines())) <= WIDEST


def test_wide_and_long_tables_are_cut() -> None:
    rows = [{f"column {k}": 1 / (k + row + 3) for k in range(30)} for row in range(MOST_ROWS + 5)]
    lines = text_table(rows).splitlines()
    assert max(map(len, lines)) <= WIDEST
    assert (len(lines), lines[-1]) == (MOST_ROWS + 2, "… and 5 more rows")
    assert shown("a\nb" + "c" * 100) == "a b" + "c" * 24 + "…"
    assert [shown(value) for value in (None, True, 7, 1 / 3, float("nan"))] == ["-", "yes", "7", "0.33333", "nan"]


RUNNING = {
    "id": "3b9f0c1e7a5d4c0f9f0e6a1b2c3d4e5f",
    "kind": "train",
    "name": NASTY,
    "status": "running",
    "done": False,
    "progress": {"phase": "discrete", "model": "discrete-64", "fraction": 0.42, "objective": 0.0417},
    "error": None,
}
FAILED = RUNNING | {"status": "failed", "done": True, "error": {"code": "bad", "detail": NASTY}}


def test_jobs_in_a_notebook() -> None:
    page = JobRecord(RUNNING)._repr_html_()
    assert f"<code>{RUNNING['id']}</code> &lt;script&gt;" in page
    assert Tables(page).rows == [
        ["kind", "status", "phase", "model", "done"],
        ["train", "running", "discrete", "discrete-64", "42%"],
    ]
    page = JobRecord(FAILED)._repr_html_()
    assert "script" not in Tables(page).tags
    assert "bad: &lt;script&gt;" in page
    assert repr(JobRecord(RUNNING | {"name": None})) == f"<JobRecord {RUNNING['id']}: running>"
    dataset = Dataset({"id": "d", "name": NASTY, "kind": "samples", "samples": 3, "features": 2})
    assert "3 samples of 2 numbers" in dataset._repr_html_()
    assert "<script>" not in dataset._repr_html_()
    assert repr(Dataset({"id": "d", "kind": "weights", "depth": 4, "state_dim": 2})).endswith("4 layers, d = 2>")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def be(yes: bool) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: yes)

    return be


def test_progress_is_shown_to_people(terminal: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(False)
    assert isinstance(progress_of(None), Nothing)
    assert isinstance(progress_of(True), Bar)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert isinstance(progress_of(None), Bar), "a notebook is no terminal"
    monkeypatch.delitem(sys.modules, "ipykernel")
    terminal(True)
    assert isinstance(progress_of(None), Bar)
    assert isinstance(progress_of(False), Nothing)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert isinstance(progress_of(None), Line)


@pytest.mark.parametrize("show", [Bar, Line])
def test_progress_names_phase_and_model(
    show: Any, terminal: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(show is Bar)
    with progress_of(True) if show is Bar else Line() as bar:
        for job in (RUNNING | {"status": "queued", "progress": None}, RUNNING, RUNNING, FAILED):
            bar.show(JobRecord(job))
    shown_lines = capsys.readouterr().err
    assert "discrete discrete-64" in shown_lines
    assert "failed" in shown_lines
    if show is Line:
        assert len(shown_lines.splitlines()) == 3, "what stays the same is not repeated"
