"""What a report says of a job of each kind, in whose words, and what it does not let through."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from service.contract.train.results import ResultsFile
from service.report.render import render
from service.report.verdict import SUMMARIES
from tests.report.conftest import HOSTILE, altered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.report.render import Source
    from tests.support.taken_away.exported import Exported

ANSWERED: dict[str, Any] = {
    "summary": "Yes. As depth grows the trained networks settle on one limit.",
    "answer": {
        "depth": 16,
        "metric": "accuracy",
        "data": "validation",
        "at_depth": 0.9,
        "in_the_limit": 0.95,
        "confidence": "measured",
        "change": "Raise training.max_iterations.",
    },
    "findings": [
        {"code": "a", "about": "minima", "holds": True, "level": "main", "text": "Plainly so.", "advice": None,
         "href": None},
        {"code": "b", "about": "minima", "holds": None, "level": "main", "text": "Who knows.", "advice": "Try more.",
         "href": "https://docs.example/b"},
        {"code": "c", "about": "minima", "holds": False, "level": "detail", "text": "By theory.", "advice": None,
         "href": "docs/mathematics.md#words"},
        {"code": "d", "about": "minima", "holds": None, "level": "detail", "text": "Odd.", "advice": None,
         "href": "javascript:alert(1)"},
    ],
}  # fmt: skip


class Text(HTMLParser):
    """The text of a page, and the elements, attributes and headings that it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_a_study_answers_in_words(sources: Mapping[str, Source]) -> None:
    results = json.loads(sources["train"].results)
    results["diagnostics"]["verdict"] |= ANSWERED
    text = Text(render(altered(sources["train"], results=results))).text
    before = text.partition("Details")[0]
    for said in (
        ANSWERED["summary"],
        "Depth 16 (measured at trained depths): accuracy on validation data 0.9, and 0.95 in the limit.",
        "Raise training.max_iterations.",
        "Plainly so.",
        "Try more.",
    ):
        assert said in before
    assert "By theory." not in before
    assert "By theory." in text
    assert "docs/mathematics.md#words" in text


def test_a_part_that_is_withheld_has_its_reason(sources: Mapping[str, Source]) -> None:
    parts = ("minima", "minimisers", "states", "predictions", "recovery", "lift", "certificates", "regularity")
    found = dict.fromkeys((*parts, "classification", "depth_advice", "independent_check", "euler_lagrange"))

    results = json.loads(sources["train"].results)
    results["diagnostics"] |= found | {"withheld": dict.fromkeys(found, "no time was left")}
    text = Text(render(altered(sources["train"], results=results))).text
    assert "Values that are withheld" in text
    assert text.count("no time was left") == len(found)


def test_a_gap_that_is_withheld_has_its_reason_below_the_table(sources: Mapping[str, Source]) -> None:
    results = json.loads(sources["train"].results)
    row = results["diagnostics"]["minima"]["depths"][0]
    row |= {"gap": None, "withheld": {"gap": "it is elsewhere"}}
    text = Text(render(altered(sources["train"], results=results))).text
    assert "Depth 8: the gap is withheld: it is elsewhere." in text


def test_links_are_none_that_run(sources: Mapping[str, Source]) -> None:
    results = json.loads(sources["train"].results)
    results["diagnostics"]["verdict"] |= ANSWERED
    page = Text(render(altered(sources["train"], results=results)))
    assert {value for name, value in page.attributes if name == "href"} == {"https://docs.example/b"}


def test_results_of_earlier_versions_read(sources: Mapping[str, Source]) -> None:
    """Without summary, answer, findings, names, versions of libraries, and pictures."""
    results = json.loads(sources["train"].results)
    verdict = results["diagnostics"]["verdict"]
    results.pop("data", None)
    for name in ("summary", "answer", "findings"):
        verdict.pop(name, None)
    for name in ("libraries", "threads", "data_sha256"):
        del results["provenance"][name]
    ResultsFile.model_validate(results)
    text = Text(render(altered(sources["train"], results=results))).text
    assert SUMMARIES[verdict["converges"]] in text
    assert all(statement in text for statement in verdict["statements"])


def test_the_table_has_every_depth_with_both_metrics(sources: Mapping[str, Source], study: Exported) -> None:
    page = render(sources["train"])
    rows = re.findall(r"<tr><th scope=\"row\"><bdi>(.*?)</bdi></th>(.*?)</tr>", page.partition('id="details"')[0])
    assert [name for name, _ in rows] == ["8", "16", "32", "∞ (continuum)"]
    for (_, cells), model in zip(rows, study.trained.results["models"], strict=True):
        numbers = re.findall(r"<td>(.*?)</td>", cells)
        assert float(numbers[0]) == pytest.approx(model["objective"], rel=1e-6)
        assert [float(n) for n in numbers[3:5]] == [
            pytest.approx(model[part]["accuracy"], abs=1e-4) for part in ("train", "validation")
        ]
    minima = study.trained.results["diagnostics"]["minima"]["depths"]
    gaps = [re.findall(r"<td>(.*?)</td>", cells)[1:3] for _, cells in rows[:3]]
    for (gap, predicted), row in zip(gaps, minima, strict=True):
        assert float(gap) == pytest.approx(row["gap"], rel=1e-3)
        assert float(predicted) == pytest.approx(row["predicted_slope"] / row["depth"], rel=1e-3)


@pytest.mark.parametrize("kind", ["train", "evaluate", "diagnose"])
def test_every_kind_has_question_answer_provenance_and_specification(sources: Mapping[str, Source], kind: str) -> None:
    source = sources[kind]
    page = render(source)
    text = Text(page).text
    found = json.loads(source.results)["provenance"]
    for heading in ("Question", "Answer", "Table", "Details", "Provenance", "Specification"):
        assert f">{heading}</h2>" in page
    assert source.record.spec_sha256 in text
    assert f"numpy {found['libraries']['numpy']}" in text
    assert json.loads(re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)[0].replace("&#34;", '"')) == source.record.spec
    assert "–" not in page.partition('id="table"')[0].partition('id="answer"')[2]  # every number of the answer is one


def test_a_study_shows_what_its_worker_drew(sources: Mapping[str, Source]) -> None:
    """The drawings as they are, each with what it shows in words; no other kind of job has any."""
    study = sources["train"]
    page = render(study)
    assert study.plots is not None
    told = {plot["name"]: plot["description"] for plot in study.plots["plots"]}
    for name in ("minima", "orders", "decision_boundaries"):
        svg = study.drawing(name)
        assert svg is not None
        assert svg.decode() in page
        assert told[name] in Text(page).text
    assert page.count("<figure") == page.count("<svg") == 3
    assert "<svg" not in render(sources["evaluate"]) + render(sources["diagnose"])


def test_an_evaluation_and_a_diagnosis_say_what_was_found(sources: Mapping[str, Source]) -> None:
    evaluated = Text(render(sources["evaluate"])).text
    assert "How do networks that were trained for moons do on the data that they were trained on?" in evaluated
    for said in ("accuracy", "discrete-8", "sampled-64", "does not depend on the solver", "2 draws a level"):
        assert said.lower() in evaluated.lower()
    diagnosed = Text(render(sources["diagnose"])).text
    found = json.loads(sources["diagnose"].results)["classification"]
    assert f"the class is: {found['class'].replace('_', ' ')}" in diagnosed
    assert "3, of depths 8, 16, 32" in diagnosed


def hostile(value: Any) -> Any:
    """A value with every text in it made hostile."""
    if isinstance(value, dict):
        return {name: hostile(part) for name, part in value.items()}
    if isinstance(value, list):
        return [hostile(part) for part in value]
    return HOSTILE + value if isinstance(value, str) else value


@pytest.mark.parametrize("kind", ["train", "evaluate", "diagnose"])
def test_names_and_texts_are_shown_and_not_run(sources: Mapping[str, Source], kind: str) -> None:
    source = sources[kind]
    results = json.loads(source.results)
    if kind == "train":
        results["data"] = {
            "samples": {"train": 30, "validation": 10},
            "features": 2,
            "inputs": [HOSTILE, "b"],
            "targets": [HOSTILE],
            "classes": [HOSTILE, "d"],
        }
        results["diagnostics"]["verdict"]["statements"] = [HOSTILE]
    elif kind == "evaluate":
        for model in results["evaluations"]:
            model["model"] = HOSTILE
    else:
        results["classification"] = hostile(results["classification"])
    spec = source.record.spec | {"external_id": HOSTILE}
    plain, page = Text(render(source)), render(altered(source, name=HOSTILE, spec=spec, results=results))
    read = Text(page)
    assert not {"script", "img"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert set(read.tags) <= set(plain.tags) | {"p", "ul", "li", "span", "dl", "dt", "dd"}
    assert not re.search("[\u202e\u0007]", page)
    assert "<script>alert(1)</script>\\u202e\\u0007" in read.text
    assert {name for name, _ in read.attributes} & {"src", "srcset", "action", "formaction", "background"} == set()
