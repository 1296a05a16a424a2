"""Colours and shapes, told apart without colour vision and on light and dark ground.

Categories are those of Okabe and Ito (2008, *Color universal design*), darkened where they would be faint on white;
each goes with a shape of its own. Depth is an order, so networks are shades of blue, deeper ones stand out more.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUND: Final = "#ffffff"
INK: Final = "#1b1b1f"
MUTED: Final = "#5d5d66"
GRID: Final = "#e3e3e8"
CONTINUUM: Final = "#d55e00"
PREDICTED: Final = "#00805c"
_DEPTHS: Final = (*("#64a9d8", "#4d98cd", "#3787c1", "#2575b1", "#16639f", "#0d528b", "#0a4276", "#083260", "#06234a"),)
_DEPTHS_IN_THE_DARK: Final = (
    *("#2f6c9f", "#3d7db2", "#4f8fc4", "#63a1d3", "#7ab3df", "#94c5e9", "#aed6f1", "#c8e5f8", "#e2f3fd"),
)
_CATEGORIES: Final = ("#0072b2", "#c4561a", "#00805c", "#a63d8f", "#a87900", "#6b6b75", "#2c93c8", "#7a4b1e")
_CATEGORIES_IN_THE_DARK: Final = (
    *("#4fb3ec", "#ff9a63", "#2fcf9f", "#e58fd0", "#e6b830", "#b3b3bd", "#9bd6f7", "#d3a26f"),
)
_CLASSES: Final = ("#a87900", "#8a3fa0", "#00805c", "#6b6b75", "#b5306a", "#4f7f1f", "#7a4b1e", "#008b95")
_CLASSES_IN_THE_DARK: Final = (
    *("#e6b830", "#cf95e6", "#2fcf9f", "#b3b3bd", "#f58fb8", "#a9d66f", "#d3a26f", "#5fd8e0"),
)
SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "wedge")

IN_THE_DARK: Final[Mapping[str, str]] = MappingProxyType(
    {
        GROUND: "#15171c",
        INK: "#ececf1",
        MUTED: "#a9a9b5",
        GRID: "#34363f",
        CONTINUUM: "#ff8c42",
        PREDICTED: "#2fcf9f",
        **dict(zip(_DEPTHS, _DEPTHS_IN_THE_DARK, strict=True)),
        **dict(zip(_CATEGORIES, _CATEGORIES_IN_THE_DARK, strict=True)),
        **dict(zip(_CLASSES, _CLASSES_IN_THE_DARK, strict=True)),
    }
)
"""What each colour is on dark ground."""


def depth_colours(count: int) -> list[str]:
    """Return shades for so many depths, the shallowest first; as far apart as there are."""
    if count == 1:
        return [_DEPTHS[len(_DEPTHS) // 2]]
    return [_DEPTHS[round(place * (len(_DEPTHS) - 1) / (count - 1))] for place in range(count)]


def categories(count: int) -> list[str]:
    """Return colours of different things; they come again after the eighth, with another shape."""
    return [_CATEGORIES[place % len(_CATEGORIES)] for place in range(count)]


def class_colours(count: int) -> list[str]:
    """Return colours of classes, which are not those of depths and continuum."""
    return [_CLASSES[place % len(_CLASSES)] for place in range(count)]


def shapes(count: int) -> list[str]:
    """Return shapes, such that no pair of colour and shape comes twice among 56."""
    size = len(SHAPES)
    return [SHAPES[(place + place // size) % size] for place in range(count)]
