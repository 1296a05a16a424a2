"""Progress of real studies: it never falls, every phase has its part of it, and the parts are those of the work."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.diagnostics import Example, moons
from benchmarks.progress import fractions
from deeplimit.mathematics import ContinuumOptions, Training, train
from deeplimit.mathematics.depth_search import train_for_error
from deeplimit.mathematics.diagnostics.advice.wanted import Quantity, Wanted
from deeplimit.mathematics.diagnostics.measured import MeasuredStudy
from deeplimit.mathematics.diagnostics.work import diagnostics_work
from deeplimit.mathematics.minimise import HistoryRow
from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.objective import DiscretisedObjective, Linearisation
from deeplimit.mathematics.study.progress import Meter, Stage, StudyProgress
from tests.support.small_problems import odd_pair, one_sample

WIDE = 4.0
"""Factor within which a phase's share of the fraction is that of its share of the work."""


class Recorder:
    """Keeps every report, and the layers that were gone through for the phase that it is of."""

    def __init__(self) -> None:
        self.seen: list[StudyProgress] = []
        self.layers = 0
        self.work: Counter[str] = Counter()

    def __call__(self, at: StudyProgress) -> None:
        self.seen.append(at)
        self.work[at.phase] += self.layers
        self.layers = 0

    @property
    def fractions(self) -> list[float]:
        return [at.fraction for at in self.seen]

    def shares(self) -> dict[str, float]:
        """Of the fraction, by phase."""
        found: Counter[str] = Counter()
        before = 0.0
        for at in self.seen:
            found[at.phase] += at.fraction - before  # type: ignore[assignment]  # counts of anything
            before = at.fraction
        return dict(found)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A recorder that counts evaluations and Hessian-vector products, each by its layers or stages."""
    found = Recorder()

    def counted(kind: type, name: str, stages: Callable[..., int]) -> None:
        real = getattr(kind, name)

        def call(self: Any, *given: Any) -> Any:
            found.layers += stages(self, *given)
            return real(self, *given)

        monkeypatch.setattr(kind, name, call)

    for name in ("evaluate", "value", "output", "trajectory"):
        counted(DiscretisedObjective, name, lambda objective, *_: objective._stages)
    counted(BatchedObjective, "evaluate", lambda batch, points: batch._stages * len(points))
    counted(Linearisation, "hessian_product", lambda linearised, *_: linearised._objective._stages)
    return found


def test_every_phase_has_the_share_of_its_work(recorder: Recorder) -> None:
    train(one_sample(), (8, 16, 32, 64), training=Training(starts=4), observer=recorder)
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == pytest.approx(1.0)
    shares, total = recorder.shares(), sum(recorder.work.values())
    assert {"starts", "discrete", "continuum", "diagnostics"} <= set(shares)
    for phase, share in shares.items():
        if phase != "sharpen":
            counted = recorder.work[phase] / total
            assert counted / WIDE <= share <= counted * WIDE, (phase, share, counted)
    begun = next(at.fraction for at in recorder.seen if at.phase == "diagnostics")
    assert 0.3 < begun < 0.75


def test_the_diagnostics_say_which_part_is_under_way(recorder: Recorder) -> None:
    train(odd_pair("tanh"), (4, 8), training=Training(starts=1), observer=recorder)
    parts = {at.phase: at.part for at in recorder.seen}
    assert parts["starts"] == "random starts of the network of depth 4"
    assert parts["discrete"] == "the network of depth 8"
    assert parts["continuum"] == "the continuum limit"
    told = list(dict.fromkeys(at.part for at in recorder.seen if at.phase == "diagnostics"))
    assert len(told) > 10
    assert told[-1] == "the verdict"
    assert "trajectories against depth" in told


def test_every_part_of_the_diagnostics_has_work() -> None:
    assert set(MeasuredStudy.__dataclass_fields__) - {"data", "assumptions", "withheld"} <= set(
        diagnostics_work((8,), continuum=True)
    )
    work = diagnostics_work((8, 16), continuum=True)
    assert all(value > 0.0 for name, value in work.items() if name != "verdict")
    assert sum(diagnostics_work((8, 16), continuum=False).values()) < 0.2 * sum(work.values())


def test_the_independent_check_is_most_of_a_tiny_study_and_nothing_of_what_it_is_not_made_for() -> None:
    """It took 71 % of the time of a study of 92 unknown functions, and is not made of more than 100."""
    tiny, larger = (diagnostics_work((8, 16, 32, 64), continuum=True, functions=count) for count in (92, 101))
    assert tiny["independent_check"] > 0.7 * sum(tiny.values())
    assert larger["independent_check"] < 0.1 * sum(larger.values())


def test_a_search_for_a_depth_never_falls_and_ends(recorder: Recorder) -> None:
    train_for_error(odd_pair("tanh"), Wanted(Quantity.GAP, 1e-3), (4, 8, 16), ContinuumOptions(), observer=recorder)
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == pytest.approx(1.0)
    assert recorder.fractions.count(recorder.fractions[-1]) < 0.2 * len(recorder.fractions)


def test_work_that_nobody_expected_moves_on_all_the_same() -> None:
    seen: list[float] = []
    meter = Meter(lambda at: seen.append(at.fraction))
    meter.expect(Stage.TRAINING, 10.0)
    meter.expect(Stage.DIAGNOSTICS, 10.0)
    for _ in range(4):
        observe = meter.fit("discrete", "discrete-8", 10.0, 1e-6)
        for size in (1.0, 1e-3, 1e-6):
            observe(HistoryRow(0, 1.0, {}, size))
        meter.finish(10.0)
    assert seen == sorted(seen)
    assert seen[2] == pytest.approx(0.5, abs=1e-3)
    assert 0.5 < seen[5] < seen[8] < seen[11] < 1.0


@pytest.mark.parametrize(
    "study",
    [
        moons(8, 16, 32, samples=40),
        replace(moons(8, 16, 32, samples=40), continuum=None),
        replace(moons(8, 16, 32, 64, 128, samples=20), training=Training(1e-6, starts=1)),
    ],
    ids=["small", "without a continuum", "deep"],
)
def test_half_of_the_work_is_about_half_of_the_progress(study: Example) -> None:
    """The clock is what the kernels have gone through, so that it is the same on every machine."""
    quarter, half, late = fractions(study)["work"]
    assert 0.3 <= half <= 0.7
    assert quarter < half < late
