"""Races against the clock, counts of work, and what is written of them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import equivalents, gpu
from benchmarks.speed import figures, measure, rivals, training
from benchmarks.speed.problems import depths_to
from benchmarks.speed.rivals import CLOSE, Adam, Race, best_adam, outcome, ratios, torch_lbfgs

if TYPE_CHECKING:
    from pathlib import Path


class Bowl(torch.nn.Module):
    """(x − 1)² + a wide valley: two minima, at 1 of value 0 and at −1 of value 0.5."""

    def __init__(self, x: float) -> None:
        super().__init__()
        self.x = torch.nn.Parameter(torch.tensor([x], dtype=torch.float64))

    def evaluate(self) -> torch.Tensor:
        self.zero_grad()
        right, left = (self.x - 1.0) ** 2, (self.x + 1.0) ** 2 + 0.5
        value = torch.minimum(right, left).sum()
        torch.autograd.backward(value)
        return value.detach()


def test_a_race_ends_where_e_is_low_enough() -> None:
    race = Race(CLOSE)
    race.run(lambda seen: torch_lbfgs(Bowl(3.0), seen), 60.0)
    found = outcome(race, CLOSE, 60.0, lambda: pytest.fail("its minimum is known"))
    assert found["arrived"]
    assert found["own_seconds"] == found["seconds"]
    assert race.lowest <= CLOSE < race.trace[-2][1]


def test_what_ends_at_another_minimum_counts_as_the_limit_and_arrives_at_its_own() -> None:
    race = Race(CLOSE)
    race.run(lambda seen: torch_lbfgs(Bowl(-3.0), seen), 60.0)
    found = outcome(race, CLOSE, 60.0, lambda: 0.5)
    assert (found["arrived"], found["seconds"]) == (False, 60.0)
    assert found["arrived_at_own"]
    own = found["own_seconds"]
    assert isinstance(own, float)
    assert ratios(found, 2.0) == {"ratio": 30.0, "own_ratio": own / 2.0}


def test_what_is_too_slow_counts_as_the_limit_at_its_own_minimum_too() -> None:
    race = Race(CLOSE)
    for objective in (1.0, 0.9):
        race.run(partial(Race.see, objective=objective), 60.0)
    found = outcome(race, CLOSE, 60.0, lambda: 0.5)
    assert (found["arrived_at_own"], found["own_seconds"], found["evaluations"]) == (False, 60.0, 2)


def test_a_race_that_goes_on_counts_all_its_seconds() -> None:
    race = Race(CLOSE)
    race.run(partial(spin, objective=1.0), 0.02)
    assert race.reached(CLOSE) is None
    race.run(partial(spin, objective=0.0), 0.04)
    seconds = race.reached(CLOSE)
    assert seconds is not None
    assert seconds >= 0.02


def spin(race: Race, objective: float) -> None:
    while True:
        race.see(objective)


def test_adam_has_the_rate_that_arrives_first() -> None:
    race, adam = best_adam(lambda: Bowl(3.0), CLOSE, 4.0)
    assert race.arrived
    assert adam.rate == 0.1


def test_adam_ends_where_e_falls_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the wrong minimum: long before its time is over."""
    monkeypatch.setattr(rivals, "STALE", (200, 1e-9))
    race = Race(CLOSE)
    race.run(Adam(Bowl(-1.0), 1e-3), 600.0)
    assert race.lowest == 0.5
    assert race.evaluations < 2000


def test_a_row_of_the_training_is_measured_by_the_minimum_of_the_study() -> None:
    low = training.study_minimum(8)
    row = training.race(training.WHITE, "smooth", 8, low + CLOSE, 60.0)
    assert row["arrived"]
    assert row["own_minimum"] == pytest.approx(low, rel=1e-12)
    assert training.ours(8, low + CLOSE, 1) > 0.0


def test_all_work_of_a_study_is_counted() -> None:
    row = equivalents.measured(equivalents.Case("moons", 2, (4, 8), 1e-3))
    evaluations, products = row["evaluations"], row["products"]
    assert isinstance(evaluations, list)
    assert isinstance(products, list)
    layers = 4 * evaluations[0] + 8 * evaluations[1] + 2 * (4 * products[0] + 8 * products[1])
    assert row["equivalents"] == layers / 8
    everything = row["all_equivalents"]
    assert isinstance(everything, float)
    assert everything >= layers / 8


def test_without_cuda_the_gpu_benchmark_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "available", lambda: False)
    with pytest.raises(SystemExit, match="needs CUDA"):
        gpu.main(tmp_path, on_cpu=False)
    assert list(tmp_path.iterdir()) == []


def test_the_gpu_benchmark_runs_on_the_cpu_and_agrees(tmp_path: Path) -> None:
    gpu.main(tmp_path, on_cpu=True)
    double, single = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert (double["precision"], single["precision"]) == ("float64", "float32")
    assert double["gradient_error"] < 1e-12
    assert 0.0 < single["gradient_error"] < 1e-4


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    record = measure.Record("name", tmp_path, quick=True, limit_s=1.0)
    record.add(a=1)
    first = measure.read("name", tmp_path)
    record.add(a=2)
    second = measure.read("name", tmp_path)
    assert first is not None
    assert second is not None
    assert [len(each["rows"]) for each in (first, second)] == [1, 2]
    assert {"processor", "cores", "torch"} <= set(second["machine"])
    assert (second["quick"], second["limit_s"]) == (True, 1.0)
    assert measure.read("other", tmp_path) is None


def test_the_page_says_what_the_files_say() -> None:
    """`python -m benchmarks.speed.figures` where it does not."""
    page = figures.README.read_text()
    assert figures.with_section(page, figures.section()) == page
    training = measure.read("training")
    assert training is not None
    assert figures.PLOT.exists()


def test_only_the_section_is_written() -> None:
    page = f"# A\n\n{figures.HEADING}\n\nold\n\n## B\n\nkept\n"
    assert figures.with_section(page, "new") == f"# A\n\n{figures.HEADING}\n\nnew\n\n## B\n\nkept\n"


def test_depths_double() -> None:
    assert depths_to(64) == (8, 16, 32, 64)
