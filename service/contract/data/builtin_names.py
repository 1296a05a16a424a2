"""What columns and classes of the built-in data sets are called, as scikit-learn has them; generated sets have none."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from service.contract.data.sources import BuiltinName

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEASURES: Final = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip

COLUMNS: Final[Mapping[BuiltinName, tuple[str, ...]]] = MappingProxyType(
    {
        BuiltinName.IRIS: ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        BuiltinName.WINE: (
            "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
            "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
            "proline",
        ),
        BuiltinName.BREAST_CANCER: (
            *(f"mean {name}" for name in _MEASURES),
            *(f"{name} error" for name in _MEASURES),
            *(f"worst {name}" for name in _MEASURES),
        ),
        BuiltinName.DIGITS: tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        BuiltinName.DIABETES: ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    }
)  # fmt: skip
"""Of the inputs."""

CLASSES: Final[Mapping[BuiltinName, tuple[str, ...]]] = MappingProxyType(
    {
        BuiltinName.IRIS: ("setosa", "versicolor", "virginica"),
        BuiltinName.WINE: ("class_0", "class_1", "class_2"),
        BuiltinName.BREAST_CANCER: ("malignant", "benign"),
        BuiltinName.DIGITS: tuple(str(digit) for digit in range(10)),
    }
)
"""In the order of the classes 0..m-1."""
