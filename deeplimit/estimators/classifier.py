"""The classifier: cross entropy of the last state's linear output."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from deeplimit.estimators.base import DeepLimitEstimator

Floats = npt.NDArray[np.float64]
_PAIR = 2


class DeepLimitClassifier(ClassifierMixin, DeepLimitEstimator):
    """A residual network that tells classes apart, of a depth that is near its continuum limit.

    `fit` trains networks of several depths and the differential equation that they tend to, says whether the ones
    converge to the other (``verdict_``), and predicts with the least depth that is as good as the limit.

    Parameters
    ----------
    depths
        ``"auto"``: depths 8, 16 and 32, and where none of them is within ``gap`` the one that they predict, up to 256.
        A list: these, increasing. A number: this depth is used, whatever the study says; its half and quarter are
        trained beside it.
    gap
        The least trained depth n is used from which on |E_n − E_∞| ≤ gap · max(|E_∞|, 1e-3), E the minimum of the
        objective. The deepest where there is none, with a warning.
    activation
        ``identity``, ``tanh``, ``sin``, ``relu``, ``leaky_relu``, ``softplus``, ``silu``, ``gelu`` or ``sigmoid``.
    state_dim
        Width d of the network; the number of features unless said. Inputs are padded with zeros.
    alpha, tau
        Weights of the regularisers, all positive: one number, or a mapping from ``K``, ``b``, ``W``, ``c`` (tau: ``K``,
        ``b``) for those that are not the default.
    validation_fraction
        Part of the samples that is not trained on; accuracy there is in ``study_``.
    starts
        Random starts at the coarsest depth; ``"auto"`` makes them until another minimum is unlikely.
    max_iterations
        For each model.
    wall_time_s
        Seconds for a study.
    device
        ``"auto"`` takes a GPU that is there.
    random_state
        Of starts and split. A number gives the same fit again; None another one each time.
    service
        None trains in this process, which takes ``deeplimit[worker]``. A URL, or a `deeplimit.Client`: the study is a
        job of that service. Predicting needs neither.

    Attributes
    ----------
    classes_
        Labels in sorted order.
    depth_
        The depth that predicts.
    converges_
        True, False, or None when the study cannot tell.
    verdict_
        The verdict in plain words.
    study_
        Every model: objective, gap, accuracy. Shown as a table in a notebook.
    network_
        The fitted network, in numpy.
    n_iter_
        Iterations that it took.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepLimitClassifier(depths=[4, 8, 16], alpha=1e-3, starts=1).fit(X, y)
    >>> model.depth_, round(model.score(X, y), 2)
    (16, 0.99)
    """

    classes_: npt.NDArray[Any]

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (S, f) and labels y (S,) of any type.

        Raises
        ------
        ValueError
            If a parameter is out of its range, there are fewer than two classes, or nothing usable came out.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < _PAIR:
            raise ValueError(f"a classifier takes at least two classes; the targets have {len(self.classes_)} class")
        return self._fit(X, encoded.astype(np.int64), "cross_entropy")

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds: (S,) of the second class for two classes, (S, m) up to a constant a sample for more."""
        z = self._outputs(X)
        return z[:, 1] - z[:, 0] if len(self.classes_) == _PAIR else z

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class, (S, m), in the order of ``classes_``."""
        return np.asarray(softmax(self._outputs(X), axis=1), np.float64)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likeliest label of each sample, (S,)."""
        likeliest = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _outputs(self, X: Any) -> Floats:
        """Return the logits (S, m)."""
        network, inputs = self._checked(X)
        return network.outputs(inputs)
