"""The estimators among scikit-learn's own: its checks, its tools, and its manner with labels, frames and copies."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from deeplimit.estimators import DeepLimitClassifier, DeepLimitRegressor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::deeplimit.estimators.VerdictWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]
SMALL: dict[str, Any] = {"depths": [2, 4], "starts": 1, "max_iterations": 15}


@parametrize_with_checks([DeepLimitClassifier(**SMALL), DeepLimitRegressor(**SMALL)])  # type: ignore[untyped-decorator]  # scikit-learn ships no types
def test_scikit_learns_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_the_check_that_takes_another_scipy() -> None:
    """scikit-learn skips it unless the environment asks scipy for the array API before its import."""
    code = (
        "from sklearn.utils.estimator_checks import check_array_api_input as check\n"
        "from deeplimit.estimators import DeepLimitClassifier, DeepLimitRegressor\n"
        f"for kind in (DeepLimitClassifier, DeepLimitRegressor): check(kind.__name__, kind(**{SMALL}), 'numpy')\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env={**os.environ, "SCIPY_ARRAY_API": "1"})


def penguins() -> Any:
    """Two measures in a frame, and the species that they tell."""
    pandas = pytest.importorskip("pandas", reason="pandas is missing: the extra notebook")
    rng = np.random.default_rng(0)
    species = rng.permutation(np.repeat(["Adelie", "Gentoo", "Chinstrap"], 12))
    means = {"Adelie": (39.0, 190.0), "Gentoo": (47.0, 217.0), "Chinstrap": (49.0, 196.0)}
    values = np.array([means[name] for name in species]) + rng.normal(size=(36, 2)) * [1.5, 4.0]
    return pandas.DataFrame({"bill_length_mm": values[:, 0], "flipper_length_mm": values[:, 1], "species": species})


def test_a_frame_with_text_labels() -> None:
    frame = penguins()
    inputs = frame.drop(columns="species")
    model = DeepLimitClassifier(depths=[2, 4], alpha=1e-3, starts=1).fit(inputs, frame["species"])
    assert list(model.classes_) == ["Adelie", "Chinstrap", "Gentoo"]
    assert list(model.feature_names_in_) == ["bill_length_mm", "flipper_length_mm"]
    assert model.score(inputs, frame["species"]) > 0.9
    assert set(model.predict(inputs)) == {"Adelie", "Chinstrap", "Gentoo"}
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(inputs[inputs.columns[::-1]])


@pytest.mark.parametrize("labels", [("no", "yes"), (False, True), (-1, 1), (10, 3), (2.0, 5.0)])
def test_any_two_labels(labels: tuple[Any, Any]) -> None:
    inputs, classes = make_moons(24, noise=0.1, random_state=0)
    y = np.array(labels)[classes]
    model = DeepLimitClassifier(**SMALL).fit(inputs, y)
    chances, odds = model.predict_proba(inputs), model.decision_function(inputs)
    assert np.array_equal(model.classes_, np.unique(y))
    assert model.predict(inputs).dtype == y.dtype
    assert np.array_equal(model.predict(inputs), model.classes_[(odds > 0).astype(int)])
    np.testing.assert_allclose(np.log(chances[:, 1] / chances[:, 0]), odds, rtol=1e-9, atol=1e-12)


def test_in_a_pipeline_that_is_searched() -> None:
    inputs, y = make_moons(30, noise=0.1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), DeepLimitClassifier(**SMALL))
    grid = {"deeplimitclassifier__alpha": [1e-3, 1.0], "deeplimitclassifier__depths": [2, [2, 4]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(inputs, y)
    assert search.best_params_["deeplimitclassifier__alpha"] == 1e-3
    assert search.predict(inputs).shape == (30,)


def test_text_columns_encoded_before_it() -> None:
    frame = penguins()
    species = frame[["species"]]
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), DeepLimitRegressor(**SMALL))
    scores = cross_val_score(pipeline, species, frame["bill_length_mm"], cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_several_targets_in_their_units() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(30, 2))
    targets = np.column_stack([1e3 + 50.0 * np.tanh(inputs[:, 0]), 1e-3 * inputs[:, 1]])
    model = DeepLimitRegressor(depths=[2, 4], alpha=1e-4, starts=1, max_iterations=200).fit(inputs, targets)
    assert model.predict(inputs).shape == (30, 2)
    assert model.score(inputs, targets) > 0.99
    alone = DeepLimitRegressor(**SMALL).fit(inputs, targets[:, 0])
    assert alone.predict(inputs).shape == (30,)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - ours
def test_copies_predict_the_same(copied: Callable[[Any], Any]) -> None:
    inputs, y = make_moons(24, noise=0.1, random_state=0)
    model = DeepLimitClassifier(**SMALL).fit(inputs, y)
    again = copied(model)
    assert np.array_equal(again.predict_proba(inputs), model.predict_proba(inputs))
    assert again.study_.networks == model.study_.networks
    assert not hasattr(clone(model), "network_")
    assert clone(model).get_params() == model.get_params()


def test_the_same_seed_fits_the_same_and_another_start_elsewhere() -> None:
    inputs, y = make_moons(24, noise=0.1, random_state=0)

    def fitted(seed: Any) -> Any:
        return DeepLimitClassifier(**{**SMALL, "max_iterations": 3}, random_state=seed).fit(inputs, y).network_.K

    assert np.array_equal(fitted(3), fitted(3))
    assert np.array_equal(fitted(np.random.RandomState(5)), fitted(np.random.RandomState(5)))
    assert not np.array_equal(fitted(3), fitted(4))
    assert not np.array_equal(fitted(None), fitted(None))


def test_a_pickled_model_predicts_without_torch(without_torch: str, tmp_path: Path) -> None:
    inputs, y = make_moons(24, noise=0.1, random_state=0)
    model = DeepLimitClassifier(**SMALL).fit(inputs, y)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((model, inputs, model.predict_proba(inputs))))
    code = (
        f"{without_torch}import pickle\n"
        f"model, inputs, chances = pickle.loads(open({str(tmp_path / 'model.pickle')!r}, 'rb').read())\n"
        "assert (model.predict_proba(inputs) == chances).all()\n"
        "try: model.fit(inputs, model.predict(inputs))\n"
        "except ModuleNotFoundError as error: assert \"pip install 'deeplimit[worker]'\" in str(error)\n"
        "else: raise SystemExit('trained without torch')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
