"""Estimators that train through a real service, against the same ones that train in this process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from deeplimit.client import Client, ServiceError, Unreachable
from deeplimit.estimators import DeepLimitClassifier, DeepLimitRegressor, through_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::deeplimit.estimators.VerdictWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
SMALL: dict[str, Any] = {
    "depths": [2, 4],
    "starts": 1,
    "alpha": 1e-2,
    "validation_fraction": 0.2,
    "max_iterations": 60,
    "device": "cpu",
}


@pytest.fixture
def url(trainer: Service) -> str:
    """Address of a service that trains."""
    return f"http://127.0.0.1:{trainer.port}"


def flowers() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3)) * [1.0, 10.0, 100.0]
    return inputs, np.where(inputs[:, 0] + 0.1 * inputs[:, 1] > 0.0, "rose", "aster")


def test_predictions_are_the_same_wherever_it_was_trained(url: str) -> None:
    inputs, species = flowers()
    here = DeepLimitClassifier(**SMALL).fit(inputs, species)
    there = DeepLimitClassifier(**SMALL, service=url).fit(inputs, species)
    np.testing.assert_allclose(there.predict_proba(inputs), here.predict_proba(inputs), rtol=1e-8, atol=1e-10)
    assert there.depth_ == here.depth_
    assert (there.verdict_, there.converges_) == (here.verdict_, here.converges_)
    for theirs, mine in zip(there.study_.networks, here.study_.networks, strict=True):
        assert theirs.objective == pytest.approx(mine.objective, rel=1e-10)
        assert theirs.validation == pytest.approx(mine.validation, rel=1e-9)
    assert there.study_.job_id is not None
    with Client(url) as client:
        assert client.job(there.study_.job_id).status == "succeeded"


@pytest.mark.parametrize("most_inline", [through_service.MOST_INLINE, 0])
def test_a_regression_sent_in_the_specification_or_uploaded(
    url: str, most_inline: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(through_service, "MOST_INLINE", most_inline)
    inputs, _ = flowers()
    targets = np.column_stack([1e3 + np.tanh(inputs[:, 0]), inputs[:, 1]])
    with Client(url) as client:
        there = DeepLimitRegressor(**SMALL, service=client).fit(inputs, targets)
    here = DeepLimitRegressor(**SMALL).fit(inputs, targets)
    np.testing.assert_allclose(there.predict(inputs), here.predict(inputs), rtol=1e-8, atol=1e-8)


def test_a_client_is_shared_by_the_copies_that_a_search_makes(url: str) -> None:
    inputs, species = flowers()
    with Client(url) as client:
        model = DeepLimitClassifier(**SMALL, service=client)
        assert clone(model).service is client
        assert cross_val_score(model, inputs, species, cv=2).shape == (2,)
        with pickle.loads(pickle.dumps(model)).service as opened_again:  # noqa: S301 - ours
            assert next(opened_again.jobs()).status == "succeeded"


def test_a_key_is_not_pickled(url: str) -> None:
    with Client(url, key="secret") as client:
        assert b"secret" not in pickle.dumps(client)


def test_it_takes_no_torch_to_train_there_and_predict_here(url: str, without_torch: str, tmp_path: Path) -> None:
    inputs, species = flowers()
    (tmp_path / "data.pickle").write_bytes(pickle.dumps((inputs, species)))
    code = (
        f"{without_torch}import pickle\n"
        "from deeplimit.estimators import DeepLimitClassifier\n"
        f"inputs, species = pickle.loads(open({str(tmp_path / 'data.pickle')!r}, 'rb').read())\n"
        f"model = DeepLimitClassifier(**{SMALL!r}, service={url!r}).fit(inputs, species)\n"
        "assert model.score(inputs, species) > 0.9\n"
        "assert (pickle.loads(pickle.dumps(model)).predict(inputs) == model.predict(inputs)).all()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_what_the_service_refuses_is_said_by_its_field(url: str) -> None:
    inputs, species = flowers()
    with pytest.raises(ServiceError, match="/training/max_iterations"):
        DeepLimitClassifier(**{**SMALL, "max_iterations": 0}, service=url).fit(inputs, species)


def test_a_service_that_is_not_there() -> None:
    inputs, species = flowers()
    with Client("http://127.0.0.1:9", retries=0) as client, pytest.raises(Unreachable):
        DeepLimitClassifier(**SMALL, service=client).fit(inputs, species)
