"""The plots of a study: their numbers by known answers, and that none of them fails a job."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from service.artifacts import ArtifactStore
from service.contract.names import DATA, PLOTS, RESULTS, data_path, plot_key
from service.contract.plan import InlineSamples
from service.contract.plots.data import BoundariesData, MinimaData, OrdersData, ParametersData, TrajectoriesData
from service.contract.plots.index import PlotName, PlotsFile
from service.contract.train.resolve import resolve_train
from service.contract.values.answer import Answer
from service.jobs.planning.prepared import encode
from tests.support.specs import parse_train
from worker.execution import execute, plots
from worker.execution.plot_data.decision_boundaries import boundaries_of
from worker.execution.plot_data.training import BUCKETS, thinned
from worker.execution.plot_data.trajectories import chosen_samples
from worker.executor import JobInput, Outcome, Stopped
from worker.plots import process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.contract.job import Progress

Data = TypeVar("Data", bound=Answer)

SPEC: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 40},
    "discrete": {"depths": [8, 16, 32]},
    "training": {"starts": 1},
}
SCALING = ("standardise", "standardise_targets")
ONE: dict[str, Any] = {  # the study with one sample, x = 1
    "data": {
        "source": "inline",
        "inputs": [[1.0]],
        "targets": [2.5],
        "standardise": False,
        "standardise_targets": False,
    },
    "training": {"starts": 1},
}
FAST: dict[str, Any] = {
    "data": {"source": "builtin", "name": "moons", "samples": 20},
    "discrete": {"depths": [2, 4]},
    "continuum": None,
    "training": {"starts": 1, "max_iterations": 20},
}


class Run:
    """A job that was executed, and what it left behind."""

    def __init__(
        self,
        place: Path,
        *,
        report: Callable[[Progress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        **spec: Any,
    ) -> None:
        self.store = ArtifactStore(place)
        parsed, given = parse_train({"kind": "train", **spec}), {}
        resolution = resolve_train(parsed)
        if parsed.data.source == "inline":
            kind = resolution.spec.objective.loss.target_kind
            content = encode(InlineSamples(parsed.data.inputs, parsed.data.targets, kind))
            given[DATA] = self.store.put(data_path("job"), content, "application/vnd.safetensors")
        job = JobInput("job", 1, json.loads(resolution.spec.model_dump_json()), self.store, given)
        self.outcome: Outcome = execute(job, report, should_stop)

    def read(self, key: str) -> bytes:
        return self.store.get(self.outcome.artifacts[key])

    @property
    def index(self) -> PlotsFile:
        return PlotsFile.model_validate_json(self.read(PLOTS))

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.read(RESULTS))
        return found

    def numbers(self, name: PlotName, kind: type[Data]) -> Data:
        return kind.model_validate_json(self.read(plot_key(name, "data")))


@pytest.fixture(scope="module")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("moons"), **SPEC)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("one"), **ONE)


def test_every_plot_that_applies_is_there_in_each_form(moons: Run) -> None:
    assert [plot.name for plot in moons.index.plots] == list(PlotName)[:-1]
    assert set(moons.index.withheld) == {PlotName.BRANCHES}
    for plot in moons.index.plots:
        assert moons.read(plot_key(plot.name, "svg")).startswith(b"<svg ")
        assert json.loads(moons.read(plot_key(plot.name, "vega")))["description"] == plot.description
        assert json.loads(moons.read(plot_key(plot.name, "data")))["plot"] == plot.name
    drawn = [ref for key, ref in moons.outcome.artifacts.items() if key.startswith("plots/")]
    assert {ref.media_type for ref in drawn} == {
        "image/svg+xml",
        "application/json",
        "application/vnd.vegalite.v6+json",
    }
    assert all(ref.path.endswith((".svg", ".data", ".vega")) for ref in drawn)
    assert sum(len(moons.read(plot_key(plot.name, "svg"))) for plot in moons.index.plots) < 250_000


def test_the_gaps_extrapolate_to_the_predicted_slope(one: Run) -> None:
    plot = one.numbers(PlotName.MINIMA, MinimaData)
    steps = [1.0 / row.depth for row in plot.depths[-3:]]
    at_zero = np.polyfit(steps, [row.slope or 0.0 for row in plot.depths[-3:]], 2)[-1]
    assert at_zero == pytest.approx(plot.predicted_slope, rel=1e-3)
    assert plot.limit == one.results["diagnostics"]["minima"]["continuum"]
    for row in plot.depths:
        assert row.slope == pytest.approx(row.depth * (row.objective - (plot.limit or 0.0)), rel=1e-5)


def test_orders_are_those_of_the_diagnostics_with_their_signs(moons: Run) -> None:
    found = {series.quantity: series for series in moons.numbers(PlotName.ORDERS, OrdersData).series}
    diagnostics = moons.results["diagnostics"]
    for quantity, rows, field in (
        ("minima", diagnostics["minima"]["depths"], "gap"),
        ("states", diagnostics["states"]["depths"], "sup_error"),
        ("recovery", diagnostics["recovery"]["depths"], "excess"),
    ):
        assert [point.value for point in found[quantity].points] == pytest.approx(
            [row[field] for row in rows], rel=1e-5
        )
    assert found["minima"].order == pytest.approx(diagnostics["minima"]["depths"][-1]["order"], rel=1e-5)
    assert found["minima"].expected == 1.0


def test_without_a_continuum_there_are_differences(tmp_path: Path) -> None:
    run = Run(tmp_path, **SPEC | {"continuum": None})
    plot = run.numbers(PlotName.ORDERS, OrdersData)
    objectives = [row["objective"] for row in run.results["diagnostics"]["minima"]["depths"]]
    assert plot.between
    assert [point.value for point in plot.series[0].points] == pytest.approx(-np.diff(objectives), rel=1e-5)
    minima = run.numbers(PlotName.MINIMA, MinimaData)
    assert (minima.limit_is, minima.predicted_slope) == ("extrapolated", None)


def test_parameters_are_the_fitted_ones(one: Run) -> None:
    plot = one.numbers(PlotName.PARAMETERS, ParametersData)
    assert [(entry.parameter, entry.index) for entry in plot.entries] == [("K", [1, 1]), ("b", [1])]
    assert plot.of == 2
    for entry in plot.entries:
        shallow, limit = entry.curves[0], entry.curves[-1]
        assert [t for t, _ in shallow.points] == [k / 8 for k in range(8)]
        times, values = np.array(limit.points).T
        at = np.interp([t for t, _ in shallow.points], times, values)
        assert np.abs(at - [value for _, value in shallow.points]).max() < 0.1


def test_trajectories_start_at_the_inputs_and_end_where_the_output_reads(moons: Run) -> None:
    plot = moons.numbers(PlotName.TRAJECTORIES, TrajectoriesData)
    assert (len(plot.inputs), plot.samples) == (30, 40)
    assert plot.projection is None
    assert sorted(set(plot.classes or ())) == ["0", "1"]
    for path in plot.models:
        assert np.allclose(path.states[0], plot.inputs)
        assert len(path.t) == len(path.states) <= 33
    shallow, limit = np.array(plot.models[0].states[-1]), np.array(plot.models[-1].states[-1])
    sup = moons.results["diagnostics"]["states"]["depths"][0]["sup_error"]
    assert np.linalg.norm(shallow - limit, axis=1).max() <= sup * 1.001


def test_the_boundary_of_a_linear_classifier_is_its_line() -> None:
    x, y = np.linspace(-1, 1, 41), np.linspace(-2, 2, 31)
    z = (x[np.newaxis, :] + 2.0 * y[:, np.newaxis] - 0.5)[:, :, np.newaxis]
    (line,) = boundaries_of(x, y, z)
    assert np.abs(line[:, 0] + 2.0 * line[:, 1] - 0.5).max() < 1e-12
    (same,) = boundaries_of(x, y, np.concatenate([z, -z], axis=2))
    assert np.allclose(same, line)
    assert boundaries_of(x, y, z + 100.0) == []


def test_three_classes_meet_along_three_rays() -> None:
    grid = np.linspace(-1, 1, 101)
    angles = 2 * np.pi * np.arange(3) / 3
    z = grid[np.newaxis, :, np.newaxis] * np.cos(angles) + grid[:, np.newaxis, np.newaxis] * np.sin(angles)
    points = np.concatenate(boundaries_of(grid, grid, z))
    values = np.sort(points @ np.stack([np.cos(angles), np.sin(angles)]), axis=1)
    assert np.abs(values[:, 2] - values[:, 1]).max() < 0.03


def test_boundaries_are_in_the_units_of_the_data(moons: Run) -> None:
    plot = moons.numbers(PlotName.DECISION_BOUNDARIES, BoundariesData)
    assert plot.x[0] < -0.9
    assert plot.x[1] > 1.9
    assert len(plot.shown) == 40
    assert all(plot.x[0] <= point[0] <= plot.x[1] for model in plot.models for line in model.lines for point in line)


def test_a_long_history_keeps_its_ends_and_its_peaks() -> None:
    points = [(k, 1.0 + (k == 777)) for k in range(2000)]
    kept = thinned(points)
    assert len(kept) <= 2 * BUCKETS + 2
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert (777, 2.0) in kept


def test_samples_are_chosen_of_every_class() -> None:
    groups = np.array([0.0] * 95 + [1.0] * 5)
    chosen = chosen_samples(groups, 30)
    assert len(set(chosen)) == 30
    assert {groups[place] for place in chosen} == {0.0, 1.0}


def test_reasons_of_what_does_not_apply(one: Run) -> None:
    assert one.index.withheld[PlotName.DECISION_BOUNDARIES].startswith("the targets are numbers")
    assert "one branch only" in one.index.withheld[PlotName.BRANCHES]


def test_they_can_be_switched_off(tmp_path: Path) -> None:
    reports: list[Progress] = []
    run = Run(tmp_path, report=reports.append, **FAST, plots=False)
    assert run.index.plots == []
    assert set(run.index.withheld.values()) == {plots.SWITCHED_OFF}
    assert {report.phase for report in reports}.isdisjoint({"plots"})
    assert not any(key.startswith("plots/") for key in run.outcome.artifacts)


def test_without_the_libraries_they_are_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LIBRARIES", ("altair", "no_such_library"))
    assert set(Run(tmp_path, **FAST).index.withheld.values()) == {process.NOT_INSTALLED}


def test_without_contourpy_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worker.execution.plot_data.decision_boundaries")
    monkeypatch.setitem(sys.modules, "contourpy", None)
    index = Run(tmp_path, **FAST).index
    assert index.withheld[PlotName.DECISION_BOUNDARIES].startswith("contourpy, which it takes, is not installed")
    assert len(index.plots) >= 4


def test_numbers_that_fail_cost_one_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr("worker.execution.plot_data.training.training", broken)
    reports: list[Progress] = []
    run = Run(tmp_path, report=reports.append, **FAST)
    assert run.index.withheld[PlotName.TRAINING] == plots.FAILED
    assert "of a test" in caplog.text
    assert PlotName.PARAMETERS in {plot.name for plot in run.index.plots}
    assert reports[-1].phase == "plots"
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1.0


def test_drawing_that_fails_costs_one_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hollow(_: object) -> MinimaData:
        return MinimaData(depths=[], limit=None, limit_is=None, predicted_slope=None)

    monkeypatch.setattr("worker.execution.plot_data.minima.minima", hollow)
    index = Run(tmp_path, **FAST).index
    assert index.withheld[PlotName.MINIMA] == "drawing it failed; the worker's log has the details"
    assert index.plots


def test_past_the_limit_of_the_job_they_are_withheld(tmp_path: Path) -> None:
    index = Run(tmp_path, **FAST, limits={"wall_time_s": 0.001}).index
    assert set(index.withheld.values()) == {plots.OUT_OF_TIME}


def pid() -> int:
    running = plots.drawing_process()._process
    assert running is not None
    return running.pid


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(signal.SIGKILL, "the process that draws it died"), (signal.SIGSTOP, "drawing it took longer than 0.5 s")],
)
def test_a_drawing_process_that_dies_or_hangs_costs_one_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: signal.Signals, reason: str
) -> None:
    started, faults = plots.drawing_process(), [fault]
    started.start()
    before = pid()

    def report(at: Progress) -> None:
        if at.phase == "plots" and faults:
            os.kill(pid(), faults.pop())
            if fault is signal.SIGSTOP:
                monkeypatch.setattr(process, "LONGEST_S", 0.5)
        else:
            monkeypatch.setattr(process, "LONGEST_S", 60.0)

    index = Run(tmp_path, report=report, **FAST).index
    assert index.withheld[PlotName.MINIMA] == reason
    assert PlotName.PARAMETERS in {plot.name for plot in index.plots}
    assert pid() != before


def test_a_job_is_cancelled_while_its_plots_are_drawn(tmp_path: Path) -> None:
    phases: list[str] = []
    with pytest.raises(Stopped):
        Run(
            tmp_path,
            report=lambda at: phases.append(at.phase),
            should_stop=lambda: phases.count("plots") >= 2,
            **FAST,
        )
    assert phases.count("plots") == 2
