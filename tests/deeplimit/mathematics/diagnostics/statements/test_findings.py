"""Findings: the main ones in plain words, every code documented, every link leading somewhere, old statements kept."""

import re

import pytest

from deeplimit.mathematics.diagnostics.statements.finding import TOPICS, Finding, Level
from deeplimit.mathematics.diagnostics.statements.wording import plain_number
from service.contract.train.diagnostics import Diagnostics
from tests.support.markdown import ROOT, Page, code_of
from tests.support.studies.verdicts import OUTCOMES, verdict

PAGE = Page(ROOT / "docs" / "mathematics.md")
TERMS = re.compile(
    r"TL²|L²|H¹|H²|[α-ωΑ-Ω]|Γ|Hölder|Euler|Lagrange|lambda|bracket|Hessian|eigen|Lanczos|Davidson|saddle|E_n|E_∞|C₁|R_n|minimi|"
    r"minimum|stationary|Lipschitz|collocation|Richardson|residual|recovery|lift|theorem|order|slope|asymptotic|certif|"
    r"branch|continuum|adjoint|costate|convex|regularity",
    re.IGNORECASE,
)
FIELDS = re.compile(r"\b(?:training|continuum|objective|discrete|network|data|limits)\.\w+(?:\.\w+)?|\(continuum\)")

each_outcome = pytest.mark.parametrize("name", OUTCOMES)


def theory(words: str) -> list[str]:
    """Terms of the theory that are not names of fields."""
    return TERMS.findall(FIELDS.sub("", words))


@each_outcome
def test_main_findings_are_in_plain_words(name: str) -> None:
    found = verdict(name)
    main = [finding for finding in found.findings if finding.level is Level.MAIN]
    assert [finding.code for finding in main[:2]] == ["summary", "use_depth"]
    said = [found.summary, found.answer.change or "", *(finding.text for finding in main)]
    said += [finding.advice or "" for finding in main]
    assert [terms for words in said if (terms := theory(words))] == []
    for finding in main:
        assert finding.text[0].isupper() or finding.text[0].isdigit()
        assert finding.text.endswith(".")
        assert ".." not in finding.text
        assert "None" not in finding.text


def test_terms_would_be_found() -> None:
    assert theory("The distances (TL²) of the minimisers, by training.gradient_tolerance") == ["TL²", "minimi"]
    assert theory("Train the limit (continuum), or lower continuum.tolerance.") == []
    assert theory("the continuum") == ["continuum"]


@each_outcome
def test_statements_are_the_details(name: str) -> None:
    found = verdict(name)
    details = [finding for finding in found.findings if finding.level is Level.DETAIL]
    assert found.statements == [finding.text for finding in details]
    assert found.findings[-len(details) :] == details, "the main ones come first"


def test_every_code_is_documented() -> None:
    named = [code for row in PAGE.rows("code") for code in code_of(row[0])]
    assert sorted(named) == sorted(TOPICS)


def test_every_code_but_rare_ones_is_said() -> None:
    said = {finding.code for name in OUTCOMES for finding in verdict(name).findings}
    rare = {
        *("branches_followed", "saddle_left", "certificate_undecided", "second_differences_untested"),
        *("growth_of_regulariser", "orders_far", "not_measured"),
    }
    assert set(TOPICS) - rare <= said


def test_links_lead_to_headings() -> None:
    for code in TOPICS:
        page, _, heading = Finding(code, "x").href.partition("#")
        assert page == "docs/mathematics.md"
        assert heading in PAGE.anchors, code


def test_a_finding_is_about_a_part_of_the_results() -> None:
    others = {"depth", "performance", "models"}
    assert {topic.about for topic in TOPICS.values()} <= set(Diagnostics.model_fields) | others


def test_codes_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="no code"):
        Finding("unheard_of", "x")


@pytest.mark.parametrize(
    ("value", "text"), [(1e-4, "0.0001"), (0.5, "0.5"), (2.0, "2"), (1e-12, "1e-12"), (1 / 3, "0.333333")]
)
def test_numbers_are_written_as_people_do(value: float, text: str) -> None:
    assert plain_number(value) == text
