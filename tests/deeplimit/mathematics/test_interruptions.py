"""Diagnostics of a study can be stopped at every depth, and those over pairs of layers between any blocks of rows."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from deeplimit.mathematics.diagnostics.measure.bracket import lift_excess, recovery_excess
from deeplimit.mathematics.diagnostics.measure.minimisers import (
    against_continuum,
    between_consecutive,
    h1_seminorm,
    tl2_distance,
)
from deeplimit.mathematics.diagnostics.measure.states import prediction_errors, state_errors
from deeplimit.mathematics.diagnostics.report import diagnose
from deeplimit.mathematics.diagnostics.sequence import scaling_evidence
from deeplimit.mathematics.diagnostics.sequence.classification import Classification, classify
from deeplimit.mathematics.diagnostics.sequence.norms import network_norms
from deeplimit.mathematics.diagnostics.sequence.p_variation import block_rows
from deeplimit.mathematics.diagnostics.sequence.scaling import NetworkWeights
from deeplimit.mathematics.diagnostics.sequence.sequence_class import Evidence, SequenceClass
from deeplimit.mathematics.diagnostics.sequence.study_class import classify_study
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.model.coordinates import LegendreIncrements
from deeplimit.mathematics.model.flow import ContinuumParameters
from deeplimit.mathematics.model.transfer import lift, recover
from deeplimit.mathematics.study.continuum_fit import ContinuumFit
from tests.support import sequences
from tests.support.small_problems import DEPTHS, trained

DIAGNOSTICS: dict[str, Callable[[Subject], object]] = {
    "minimisers": against_continuum,
    "consecutive": between_consecutive,
    "states": state_errors,
    "predictions": prediction_errors,
    "lift": lift_excess,
    "recovery": recovery_excess,
    "classification": lambda subject: classify_study(subject, trained("tanh").diagnostics),
}


class StopNowError(Exception):
    """Raised by a checkpoint."""


class Checkpoint:
    """Counts its calls, and raises at one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.calls, self.last = 0, last

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.last:
            raise StopNowError


def subject_of(checkpoint: Callable[[], None]) -> Subject:
    study = trained("tanh").study
    found = trained("tanh").diagnostics
    return Subject(study, study.problem.x, "train", certificates=found.certificates, checkpoint=checkpoint)


def fit_of(subject: Subject) -> ContinuumFit:
    assert subject.continuum is not None
    return subject.continuum


def evidence(found: Classification, name: str) -> Evidence:
    return next(row for row in found.evidence if row.name == name)


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_every_diagnostic_is_stopped_at_a_depth(name: str) -> None:
    counted = Checkpoint()
    DIAGNOSTICS[name](subject_of(counted))
    assert counted.calls >= len(DEPTHS) - 1
    for call in (1, counted.calls):
        stopping = Checkpoint(call)
        with pytest.raises(StopNowError):
            DIAGNOSTICS[name](subject_of(stopping))
        assert stopping.calls == call


def test_rows_between_two_checkpoints_are_few_where_layers_are_large() -> None:
    assert block_rows(np.zeros((100, 3))) == 256
    assert block_rows(np.zeros((1000, 930))) <= 5
    assert block_rows(np.zeros((10, 10**6))) == 1
    counted = Checkpoint()
    network_norms(NetworkWeights({"K": np.ones((40, 330, 330))}), counted)
    # K and joint, Hölder quotients and the variations for p = 2 and 3: every row by itself.
    assert counted.calls == 2 * 3 * 40


def test_norms_are_stopped_between_blocks() -> None:
    stopping = Checkpoint(4)
    with pytest.raises(StopNowError):
        network_norms(NetworkWeights({"K": np.random.default_rng(0).normal(size=(600, 2, 2))}), stopping)
    assert stopping.calls == 4


def test_what_compares_pairs_of_layers_is_withheld_after_the_deadline() -> None:
    networks = sequences.smooth((8, 16, 32, 64))
    assert evidence(classify(networks, deadline=time.monotonic() + 600.0), "p_variation_2").value is not None
    found = classify(networks, deadline=time.monotonic() - 1.0)
    assert found.sequence_class is SequenceClass.H1_LIMIT
    late = evidence(found, "p_variation_2")
    assert late.value is None
    assert late.detail == "2-variation: not computed, the time limit was reached"
    assert evidence(found, "p_variation_1").value is not None


def test_a_study_hands_its_deadline_on() -> None:
    study = trained("tanh").study
    found = diagnose(Subject(study, study.problem.x, "train"), deadline=time.monotonic() - 1.0).classification
    assert found is not None
    assert "time limit" in evidence(found, "p_variation_2").detail
    in_time = trained("tanh").diagnostics.classification
    assert in_time is not None
    assert evidence(in_time, "p_variation_2").value is not None


def test_too_many_pairs_of_layers_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling_evidence, "_MOST_VARIATION_WORK", 1e3)
    counted = Checkpoint()
    found = classify(sequences.smooth((8, 16, 32, 64)), checkpoint=counted)
    assert counted.calls == 0
    assert "too many" in evidence(found, "p_variation_2").detail
    assert evidence(found, "p_variation_1").value is not None


def ramp() -> ContinuumParameters:
    """K(t) = t in two dimensions, b = 0."""
    K = torch.zeros(2, 2, 2, dtype=torch.float64)
    K[1] = 0.5
    zero = torch.zeros(2, 2, dtype=torch.float64)
    return ContinuumParameters(LegendreIncrements(1), K, zero, zero, zero[0])


def test_distances_from_a_piecewise_linear_limit_are_taken_in_parts() -> None:
    """999 layers and 128 cells have 127,872 pieces; all at once would be gigabytes for a large state."""
    n, cells = 999, 128
    limit, sampled, counted = lift(recover(ramp(), cells)), recover(ramp(), n), Checkpoint()
    found = tl2_distance(sampled, limit, counted)
    assert counted.calls >= 2
    # Four equal entries, by the midpoint rule.
    t = (torch.arange(10**6, dtype=torch.float64) + 0.5) / 10**6
    layer = torch.clamp((t * n).long(), max=n - 1)
    difference = sampled.K[layer][:, 0, 0] - limit.sample(t)[0][:, 0, 0]
    assert pytest.approx(2.0 * float(difference.square().mean().sqrt()), rel=1e-5) == found.K
    stopping = Checkpoint(2)
    with pytest.raises(StopNowError):
        h1_seminorm(sampled, limit, stopping)
