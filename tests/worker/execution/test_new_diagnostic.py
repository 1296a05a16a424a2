"""A new diagnostic is a module of its own, and an entry among what is measured and among what is answered."""

import json
from dataclasses import dataclass
from typing import Annotated

import pytest

from deeplimit.mathematics import Training, train
from deeplimit.mathematics.diagnostics import report
from deeplimit.mathematics.diagnostics.measured import MeasuredBy, MeasuredStudy, Needs
from deeplimit.mathematics.diagnostics.subject import Subject
from service.contract.results import to_json
from service.contract.train import diagnostics as contract
from service.contract.values.answer import Answer
from tests.support.small_problems import odd_pair
from worker.execution.train_diagnostics import diagnostics_of

# What a module of deeplimit.mathematics.diagnostics.measure would hold.


@dataclass(frozen=True)
class Largest:
    depth: int
    entry: float


@dataclass(frozen=True)
class LargestEntries:
    continuum: float | None
    depths: list[Largest]


def largest_entries(subject: Subject) -> LargestEntries:
    rows = [Largest(point.depth, float(point.parameters.K.abs().max())) for point in subject.points]
    return LargestEntries(None, rows)


# Its answer, which a module of service.contract.train would hold.


class LargestRow(Answer):
    depth: int
    entry: float


class LargestAnswer(Answer):
    continuum: float | None
    depths: list[LargestRow]


# The two entries.


@dataclass(frozen=True)
class WithLargest(MeasuredStudy):
    largest: Annotated[LargestEntries | None, MeasuredBy(lambda subject, _: largest_entries(subject), Needs.DEPTHS)]


@dataclass(frozen=True)
class DiagnosticsWithLargest(report.Diagnostics):
    largest: LargestEntries | None


class AnswerWithLargest(contract.Diagnostics):
    largest: LargestAnswer | None = None


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MeasuredStudy", WithLargest)
    monkeypatch.setattr(report, "Diagnostics", DiagnosticsWithLargest)
    monkeypatch.setattr(contract, "Diagnostics", AnswerWithLargest)


@pytest.mark.usefixtures("registered")
def test_a_new_diagnostic_is_measured_and_answered() -> None:
    study = train(odd_pair("tanh"), (4, 8), None, Training(starts=1))
    answer = json.loads(to_json(diagnostics_of(study)))
    points = study.study.verdict_branch.points
    assert answer["largest"] == {
        "continuum": None,
        "depths": [{"depth": n, "entry": float(points[n].parameters.K.abs().max())} for n in (4, 8)],
    }
    assert answer["minima"]["depths"][0]["depth"] == 4


@pytest.mark.usefixtures("registered")
def test_it_is_absent_where_what_it_needs_is() -> None:
    study = train(odd_pair("tanh"), (), training=Training(starts=1))
    assert "largest" not in json.loads(to_json(diagnostics_of(study)))


def test_without_its_entry_nobody_measures_it() -> None:
    study = train(odd_pair("tanh"), (4, 8), None, Training(starts=1))
    assert "largest" not in json.loads(to_json(diagnostics_of(study)))
