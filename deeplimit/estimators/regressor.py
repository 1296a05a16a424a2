"""The regressor: squared error of the last state's linear output."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from deeplimit.estimators.base import DeepLimitEstimator


class DeepLimitRegressor(RegressorMixin, DeepLimitEstimator):
    """A residual network that predicts numbers, of a depth that is near its continuum limit.

    Targets are standardised for training, one or several of them; predictions are in their units. Everything else, the
    parameters included, is as for `DeepLimitClassifier`.

    Attributes
    ----------
    depth_, converges_, verdict_, study_, network_, n_iter_, n_features_in_, feature_names_in_
        As for `DeepLimitClassifier`; ``study_`` has r2 in the place of accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.linspace(-1, 1, 40)[:, None]
    >>> model = DeepLimitRegressor(depths=8, alpha=1e-3, starts=1).fit(t, np.tanh(3 * t[:, 0]))
    >>> model.depth_, round(model.score(t, np.tanh(3 * t[:, 0])), 2)
    (8, 1.0)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (S, f) and numbers y, (S,) or (S, m).

        Raises
        ------
        ValueError
            If a parameter is out of its range, or nothing usable came out.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        targets = np.asarray(y, np.float64)
        self._flat = targets.ndim == 1
        return self._fit(X, targets.reshape(len(targets), -1), "squared_error")

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return predictions in the units of y, of its shape: (S,) or (S, m)."""
        network, inputs = self._checked(X)
        found = network.targets(inputs)
        return found[:, 0] if self._flat else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
