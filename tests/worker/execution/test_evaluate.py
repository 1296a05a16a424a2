"""What an evaluation writes, against the networks and the flow written out in plain numpy."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import legval
from scipy.integrate import solve_ivp
from scipy.special import log_softmax, softmax

from service.artifacts import ArtifactStore
from service.contract.values.errors import SpecInvalidError
from tests.support.evaluations import UPLOAD, Trained, upload
from worker.execution import execute
from worker.executor import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Layers = Callable[[float], dict[str, Floats]]

NEW: dict[str, Any] = {
    "source": "inline",
    "inputs": [[0.3, -0.2], [1.5, 0.4], [-0.7, 0.9], [0.1, 1.1]],
    "targets": [1, 1, 0, 0],
}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def layers_of(arrays: dict[str, Floats], basis: dict[str, Any] | None) -> Layers:
    """K, b and V as functions of t in [0, 1]: a polynomial, or linear through the nodes i/n, constant after the last.

    The continuum's coefficients are those of Legendre polynomials in 2t − 1.
    """
    layered = {name: arrays[name] for name in ("K", "b", "V") if name in arrays}
    depth = len(arrays["b"])

    def polynomial(t: float) -> dict[str, Floats]:
        return {name: np.asarray(legval(2.0 * t - 1.0, value)) for name, value in layered.items()}

    def lift(t: float) -> dict[str, Floats]:
        i = min(int(np.floor(t * depth + 1e-9)), depth - 1)
        part = t * depth - i if i < depth - 1 else 0.0
        return {name: (1.0 - part) * value[i] + part * value[min(i + 1, depth - 1)] for name, value in layered.items()}

    return lift if basis is None else polynomial


def slope(theta: dict[str, Floats], X: Floats) -> Floats:
    """tanh(K X + b), or V tanh(K X + b)."""
    value = np.tanh(X @ theta["K"].T + theta["b"])
    return value @ theta["V"].T if "V" in theta else value


def step(layers: Layers, t: float, dt: float, X: Floats, integrator: str, horizon: float) -> Floats:
    """One layer; the stages read K, b and V where they are."""
    h = horizon * dt
    start, middle, end = (layers(t + part * dt) for part in (0.0, 0.5, 1.0))
    if integrator == "euler":
        return X + h * slope(start, X)
    if integrator == "midpoint":
        return X + h * slope(middle, X + h / 2 * slope(start, X))
    if integrator == "implicit_euler":
        after = X
        for _ in range(200):  # contracts: h ‖K‖ < 1 here
            after = X + h * slope(end, after)
        return after
    k1 = slope(start, X)
    k2 = slope(middle, X + h / 2 * k1)
    k3 = slope(middle, X + h / 2 * k2)
    k4 = slope(end, X + h * k3)
    return X + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def trajectory(layers: Layers, depth: int, x: Floats, integrator: str, horizon: float) -> Floats:
    states = [x]
    for i in range(depth):
        states.append(step(layers, i / depth, 1 / depth, states[-1], integrator, horizon))
    return np.array(states)


def flow(layers: Layers, x: Floats, horizon: float) -> Floats:
    """X(1) by Dormand–Prince."""

    def right(t: float, flat: Floats) -> Floats:
        return horizon * slope(layers(t), flat.reshape(x.shape)).reshape(-1)

    path = solve_ivp(right, (0.0, 1.0), x.reshape(-1), "DOP853", rtol=1e-12, atol=1e-12)
    return np.asarray(path.y[:, -1].reshape(x.shape))


@pytest.mark.parametrize(
    ("network", "integrator"),
    [
        ({}, "euler"),
        ({"state_dim": 3, "horizon": 2.0}, "midpoint"),
        ({}, "rk4"),
        ({}, "implicit_euler"),
        ({"block": "two_layer", "width": 3}, "euler"),
        ({"block": "two_layer", "width": 3, "state_dim": 3, "horizon": 1.5}, "rk4"),
    ],
)
def test_predictions_and_states_are_those_of_the_formulas(
    store: ArtifactStore, network: dict[str, Any], integrator: str
) -> None:
    trained = Trained(store, network=network | {"integrator": integrator})
    outputs = ["predictions", "states", "metrics", "solvers"]
    evaluated = trained.evaluate(data=NEW, models=["discrete-4", "continuum"], depths=[6], outputs=outputs)
    horizon = network.get("horizon", 1.0)
    curve, facts = trained.file("continuum")
    of_flow = layers_of(curve, facts["basis"])
    rows = [of_flow(i / 6) for i in range(6)]
    sampled = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    layers = {"discrete-4": layers_of(trained.file("discrete-4")[0], None), "sampled-6": layers_of(sampled, None)}
    standard = facts["standardisation"]
    x = (np.array(NEW["inputs"]) - standard["mean"]) / standard["scale"]
    x = np.pad(x, ((0, 0), (0, facts["state_dim"] - 2)))
    finals = {"continuum": flow(of_flow, x, horizon)}
    np.testing.assert_allclose(evaluated.arrays("states", "continuum")["states"][-1], finals["continuum"], atol=1e-10)
    for name, depth in (("discrete-4", 4), ("sampled-6", 6)):
        states = trajectory(layers[name], depth, x, integrator, horizon)
        np.testing.assert_allclose(evaluated.arrays("states", name)["states"], states, rtol=0.0, atol=1e-12)
        finals[name] = states[-1]
    for name, final in finals.items():
        arrays = trained.file("discrete-4")[0] if name == "discrete-4" else curve
        z = final @ arrays["W"].T + arrays["c"]
        written = evaluated.arrays("predictions", name)
        np.testing.assert_allclose(written["predictions"], softmax(z, axis=1), rtol=0.0, atol=1e-10)
        assert written["labels"].tolist() == z.argmax(axis=1).tolist()
        metrics = evaluated.models[name]["metrics"]
        assert metrics["accuracy"] == np.mean(z.argmax(axis=1) == NEW["targets"])
        entropy = -np.mean(log_softmax(z, axis=1)[range(4), NEW["targets"]])
        assert metrics["terminal_loss"] == pytest.approx(entropy, rel=1e-9)
        own = evaluated.models[name]["solvers"]["own"]
        assert own["solver"] == ("rk4" if name == "continuum" else integrator)
    # another integrator through the same layers is another network, by far more than the bounds above
    other = "midpoint" if integrator != "midpoint" else "euler"
    final = trajectory(layers["discrete-4"], 4, x, other, horizon)[-1]
    assert np.abs(final - finals["discrete-4"]).max() > 1e-5
    assert evaluated.reports[-1].fraction == 1.0


def test_what_was_not_asked_for_is_absent_and_what_has_no_value_is_null(store: ArtifactStore) -> None:
    bare = {name: part for name, part in NEW.items() if name != "targets"}
    trained = Trained(store, continuum=None)
    evaluated = trained.evaluate(data=bare, models=["discrete-4"], outputs=["metrics", "solvers", "robustness"])
    model = evaluated.models["discrete-4"]
    described = {"model", "kind", "depth", "steps", "integration_error", "withheld"}
    assert set(model) == described | {"metrics", "solvers", "robustness"}
    assert model["metrics"] is model["steps"] is model["integration_error"] is None
    assert all(level["metrics"] is level["deviations"] is None for level in model["robustness"]["levels"])
    assert model["solvers"]["table"][0]["state_order"] is None
    assert "sampled" not in evaluated.results


def nulls_without_reason(found: Any, above: dict[str, str], at: str = "") -> list[str]:
    """Return where null stands without a reason under ``withheld`` beside it, or for a part of it one level up."""
    if isinstance(found, list):
        return [place for k, item in enumerate(found) for place in nulls_without_reason(item, {}, f"{at}/{k}")]
    if not isinstance(found, dict):
        return []
    reasons: dict[str, str] = found.get("withheld") or {}
    told = above.get(at.rsplit("/", 1)[-1])
    return [
        place
        for name, value in found.items()
        for place in (
            [f"{at}/{name}"] * (not reasons.get(name) and not told)
            if value is None
            else nulls_without_reason(value, reasons, f"{at}/{name}")
        )
    ]


EVERYTHING = ["predictions", "states", "metrics", "solvers", "robustness"]


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize(
    ("data", "outputs"),
    [
        (NEW, EVERYTHING),
        ({"source": "inline", "inputs": NEW["inputs"]}, EVERYTHING),
        ({"source": "inline", "inputs": NEW["inputs"][:1], "targets": [1]}, EVERYTHING),
        (NEW, ["predictions"]),
    ],
    ids=["targets", "no_targets", "one_sample", "predictions"],
)
def test_every_null_has_its_reason(store: ArtifactStore, loss: str, data: dict[str, Any], outputs: list[str]) -> None:
    trained = Trained(store, objective={"loss": loss})
    few = {"solvers": {"steps": [8, 16]}, "noise": {"levels": [0.1], "repeats": 2}}
    asked: dict[str, Any] = few if outputs == EVERYTHING else {}
    asked |= {"models": ["discrete-4", "continuum"], "depths": [8], "outputs": outputs}
    evaluated = trained.evaluate(data=data, **asked)
    for part in ("evaluations", "sampled"):
        assert nulls_without_reason(evaluated.results[part], {}) == []
    model = evaluated.models["discrete-4"]
    if outputs == EVERYTHING and "targets" not in data:
        assert model["withheld"]["metrics"] == "the data have no targets"
        assert model["robustness"]["levels"][0]["withheld"]["deviations"] == "the data have no targets"
    elif outputs != EVERYTHING:
        assert model["withheld"]["metrics"] == "outputs do not name metrics"
    elif loss == "squared_error":
        r2 = {"r2": "one sample has no variance"} if len(data["inputs"]) == 1 else None
        for metrics in (model["metrics"], model["robustness"]["levels"][0]["metrics"]):
            assert metrics.get("withheld") == r2
            assert (metrics["r2"] is None) is (r2 is not None)
            assert metrics["terminal_loss"] > 0.0


def test_a_null_without_a_reason_is_found() -> None:
    """The control of the test above."""
    reasons = {"order": "it takes two"}
    assert nulls_without_reason({"order": None, "withheld": reasons}, {}) == []
    assert nulls_without_reason([{"states": {"order": None}, "withheld": {"states": "it takes two"}}], {}) == []
    assert nulls_without_reason([{"order": None, "gap": None, "withheld": reasons}], {}) == ["/0/gap"]
    assert nulls_without_reason({"a": {"order": None}}, {}) == ["/a/order"]


def test_a_validation_of_no_or_one_sample_has_a_reason_for_what_is_null(store: ArtifactStore) -> None:
    inputs = [[0.1 * k] for k in range(6)]
    for fraction, samples in ((0.0, 0), (0.17, 1), (0.34, 2)):
        data = {"source": "inline", "inputs": inputs, "targets": [3.0 * x for [x] in inputs]}
        trained = Trained(store, data=data | {"validation_fraction": fraction}, continuum=None)
        (model,) = trained.results["models"]
        assert isinstance(model["train"]["r2"], float)
        if not samples:
            assert model["validation"] is None
            assert "validation_fraction" in model["withheld"]["validation"]
            continue
        assert "withheld" not in model
        if samples == 1:
            assert model["validation"]["r2"] is None
            assert model["validation"]["withheld"] == {"r2": "one sample has no variance"}
        else:
            assert isinstance(model["validation"]["r2"], float)
            assert "withheld" not in model["validation"]


def test_a_continuum_is_judged_by_the_steps_of_its_training(store: ArtifactStore) -> None:
    trained = Trained(store)
    (steps,) = (model["steps"] for model in trained.results["models"] if model["model"] == "continuum")
    assert trained.file("continuum")[1]["steps"] == steps
    evaluated = trained.evaluate(models=["continuum"], outputs=["metrics", "solvers"])
    solvers = evaluated.models["continuum"]["solvers"]
    assert solvers["own"]["steps"] == steps < evaluated.models["continuum"]["steps"]
    assert solvers["consistent"] is True
    (fit,) = (model for model in trained.results["models"] if model["model"] == "continuum")
    assert solvers["own"]["terminal_loss"] == pytest.approx(fit["terminal_loss"], rel=1e-12)
    metrics = evaluated.models["continuum"]["metrics"]
    assert solvers["reference"]["terminal_loss"] == pytest.approx(metrics["terminal_loss"], rel=1e-10)


@pytest.mark.parametrize(("integrator", "order"), [("euler", 1.0), ("implicit_euler", 1.0), ("midpoint", 2.0)])
def test_untrained_depths_have_the_order_of_the_integrator(store: ArtifactStore, integrator: str, order: float) -> None:
    trained = Trained(store, network={"integrator": integrator})
    evaluated = trained.evaluate(data=NEW, models=[], depths=[64, 128, 256], outputs=["predictions"])
    rows = evaluated.results["sampled"]["depths"]
    assert [row["depth"] for row in rows] == [64, 128, 256]
    for row in rows[1:]:
        for name in ("states", "predictions"):
            assert row[name]["order"] == pytest.approx(order, abs=0.05), (name, row)
    # the rows are the differences of what is written
    limit = trained.evaluate(data=NEW, models=["continuum"], depths=[64], outputs=["predictions"])
    change = [limit.arrays("predictions", name)["predictions"] for name in ("sampled-64", "continuum")]
    assert rows[0]["predictions"]["sup_error"] == pytest.approx(np.abs(change[0] - change[1]).max(), rel=1e-9)


ANIMALS = [(0.0, "ant"), (0.2, "ant"), (4.0, "bee"), (4.2, "bee"), (8.0, "cat"), (8.2, "cat")]


def table(rows: list[tuple[float, Any]]) -> str:
    return "\n".join(["size,animal", *(f"{size},{animal}" for size, animal in rows)])


@pytest.mark.parametrize("wanted", [("bee", "cat"), ("cat",), ("ant", "cat")])
def test_labels_of_a_part_are_the_classes_of_the_whole(
    store: ArtifactStore, tmp_path: Path, wanted: tuple[str, ...]
) -> None:
    """In its own file the second and third label are the classes 0 and 1."""
    trained = Trained(store, upload(store, tmp_path, table(ANIMALS)), data=UPLOAD, continuum=None)
    assert trained.spec.data.model_dump()["class_names"] == ["ant", "bee", "cat"]
    rows = [row for row in ANIMALS if row[1] in wanted]
    evaluated = trained.evaluate(upload(store, tmp_path, table(rows)), data=UPLOAD)
    whole = trained.evaluate(outputs=["predictions"]).arrays("predictions", "discrete-4")["predictions"]
    places = [i for i, row in enumerate(ANIMALS) if row[1] in wanted]
    classes = [["ant", "bee", "cat"].index(row[1]) for row in rows]
    assert evaluated.models["discrete-4"]["metrics"]["accuracy"] == 1.0
    entropy = -np.mean(np.log(whole[places, classes]))
    assert evaluated.models["discrete-4"]["metrics"]["terminal_loss"] == pytest.approx(entropy, rel=1e-9)
    assert evaluated.arrays("predictions", "discrete-4")["labels"].tolist() == classes
    with pytest.raises(SpecInvalidError, match="1 of its 2 labels"):
        trained.evaluate(upload(store, tmp_path, table([*ANIMALS[:2], (1.0, "dog")])), data=UPLOAD)


@pytest.mark.parametrize("classes", [[1, 2, 2], [0, 0, 0], [2, 2, 2]])
def test_classes_by_number_need_not_all_occur(store: ArtifactStore, tmp_path: Path, classes: list[int]) -> None:
    numbered = [(size, ["ant", "bee", "cat"].index(animal)) for size, animal in ANIMALS]
    trained = Trained(store, upload(store, tmp_path, table(numbered)), data=UPLOAD, continuum=None)
    rows = [(4.0 * k + 0.1, k) for k in classes]
    model = trained.evaluate(upload(store, tmp_path, table(rows)), data=UPLOAD).models["discrete-4"]
    assert model["metrics"]["accuracy"] == 1.0
    inline = {"source": "inline", "inputs": [[size] for size, _ in rows], "targets": classes}
    assert trained.evaluate(data=inline).models["discrete-4"]["metrics"] == model["metrics"]


@pytest.mark.parametrize("training", [("-1", "1"), ("0", "1"), ("no", "yes")])
def test_the_two_classes_of_logistic_are_read_either_way(
    store: ArtifactStore, tmp_path: Path, training: tuple[str, str]
) -> None:
    rows = [(size, training[size > 2.0]) for size, _ in ANIMALS[:4]]
    objective = {"loss": "logistic"}
    trained = Trained(store, upload(store, tmp_path, table(rows)), data=UPLOAD, continuum=None, objective=objective)
    for sizes, signs in (([0.1, 4.1], [-1, 1]), ([4.1, 4.3], [1, 1]), ([0.1], [-1])):
        inputs = [[size] for size in sizes]
        ways = [signs, [(sign + 1) // 2 for sign in signs]]
        evaluations = [trained.evaluate(data={"source": "inline", "inputs": inputs, "targets": way}) for way in ways]
        names = [training] if training[0] == "no" else [("-1", "1"), ("0", "1")]
        for name in names:
            part = [(size, name[sign > 0]) for size, sign in zip(sizes, signs, strict=True)]
            evaluations.append(trained.evaluate(upload(store, tmp_path, table(part)), data=UPLOAD))
        first, *others = [one.models["discrete-4"]["metrics"] for one in evaluations]
        assert first["accuracy"] == 1.0
        assert all(other == first for other in others)
    wrong = trained.evaluate(data={"source": "inline", "inputs": [[0.1], [4.1]], "targets": [1, 0]})
    assert wrong.models["discrete-4"]["metrics"]["accuracy"] == 0.0


def test_small_layers_get_one_thread(store: ArtifactStore) -> None:
    job = Trained(store, continuum=None).evaluation(data=NEW)
    given, counts = torch.get_num_threads(), []
    torch.set_num_threads(given + 1)
    try:
        execute(job, lambda _: counts.append(torch.get_num_threads()), lambda: False)
        assert torch.get_num_threads() == given + 1
    finally:
        torch.set_num_threads(given)
    assert set(counts[:-1]) == {1}  # the last is reported when the models are done


def test_its_time_goes_on_from_before_memory_ran_out(store: ArtifactStore) -> None:
    job = replace(Trained(store, continuum=None).evaluation(data=NEW), started=time.monotonic() - 1e6)
    with pytest.raises(UserError, match="longer than its limit"):
        execute(job, lambda _: None, lambda: False)


def test_labels_in_a_body_are_those_of_the_upload(store: ArtifactStore, tmp_path: Path) -> None:
    inputs, labels = [[size] for size, _ in ANIMALS], [animal for _, animal in ANIMALS]
    inline = {"source": "inline", "inputs": inputs, "targets": labels}
    trained = Trained(store, data=inline, continuum=None)
    uploaded = Trained(store, upload(store, tmp_path, table(ANIMALS)), data=UPLOAD, continuum=None)
    losses = [one.results["models"][0]["terminal_loss"] for one in (trained, uploaded)]
    assert losses[0] == losses[1]
    part = {"source": "inline", "inputs": inputs[2:], "targets": labels[2:]}
    found = [one.evaluate(data=part).models["discrete-4"]["metrics"] for one in (trained, uploaded)]
    assert found[0] == found[1]
    assert found[0]["accuracy"] == 1.0
    rows = upload(store, tmp_path, table(ANIMALS[2:]))
    assert trained.evaluate(rows, data=UPLOAD).models["discrete-4"]["metrics"] == found[0]


def test_a_text_that_does_not_occur_is_zeros(store: ArtifactStore, tmp_path: Path) -> None:
    """The rows of one island alone are predicted as they are among all rows."""
    rows = [(f"{k % 7 / 3},{'BDT'[k % 3]},{k % 5}", "abc"[k % 3]) for k in range(21)]
    whole = "\n".join(["size,island,age,kind", *(f"{cells},{kind}" for cells, kind in rows)])
    trained = Trained(store, upload(store, tmp_path, whole, categorical="encode"), data=UPLOAD, continuum=None)
    every = trained.evaluate(outputs=["predictions"]).arrays("predictions", "discrete-4")["predictions"]
    for island in "BDT":
        places = [k for k, (cells, _) in enumerate(rows) if f",{island}," in cells]
        part = "\n".join(["size,island,age,kind", *(",".join(rows[k]) for k in places)])
        evaluated = trained.evaluate(
            upload(store, tmp_path, part, categorical="encode"), data=UPLOAD, outputs=["predictions"]
        )
        found = evaluated.arrays("predictions", "discrete-4")["predictions"]
        assert np.allclose(found, every[places], rtol=1e-12, atol=0.0)
    with pytest.raises(SpecInvalidError, match="'island' has texts that the models were not trained on: 'X'"):
        trained.evaluate(upload(store, tmp_path, whole.replace("T", "X"), categorical="encode"), data=UPLOAD)
