"""Labels keep apart and inside, axes have ticks, and colours and shapes tell things apart."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.plots.axes import logarithmic, padded, spread
from worker.plots.palette import IN_THE_DARK, categories, class_colours, depth_colours, shapes


@given(st.lists(st.floats(0, 300), max_size=12))
def test_labels_keep_their_order_and_their_distance(positions: list[float]) -> None:
    moved = spread(positions, 15.0, 0.0, 300.0)
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    gaps = [moved[right] - moved[left] for left, right in itertools.pairwise(order)]
    assert all(gap >= 14.5 for gap in gaps)
    assert all(-0.5 <= place <= 300.5 for place in moved)


def test_labels_that_are_apart_stay_where_they_are() -> None:
    assert spread([10.0, 200.0, 100.0], 15.0, 0.0, 300.0) == [10.0, 200.0, 100.0]


@pytest.mark.parametrize(("low", "high", "ticks"), [(1e-9, 1.0, (5, 8)), (0.11, 0.6, (2, 3)), (1e-30, 1e-1, (5, 8))])
def test_a_logarithmic_axis_has_some_ticks(low: float, high: float, ticks: tuple[int, int]) -> None:
    axis: dict[str, Any] = logarithmic("value", "title", low, high).to_dict()  # type: ignore[assignment]
    values = axis["axis"]["values"]
    assert ticks[0] <= len(values) <= ticks[1]
    assert low <= min(values) <= max(values) <= high


def test_rounding_is_not_magnified() -> None:
    low, high = padded([1.0, 1.0 + 1e-12])
    assert high - low > 1e-6


def test_ten_classes_are_told_apart_by_colour_and_shape() -> None:
    assert len(set(zip(class_colours(40), shapes(40), strict=True))) == 40
    assert len(set(depth_colours(9))) == 9


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Of WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_what_is_drawn_stands_out_from_its_ground() -> None:
    """3:1 for lines and symbols; the shallowest depth's, which are wide or have symbols, 2.5:1."""
    for colour in {*categories(8), *class_colours(8), *depth_colours(9)}:
        least = 2.5 if colour in depth_colours(9)[:2] else 3.0
        assert contrast(colour, "#ffffff") >= least, colour
        assert contrast(IN_THE_DARK[colour], IN_THE_DARK["#ffffff"]) >= 3.0, colour
    for words in ("#1b1b1f", "#5d5d66"):
        assert contrast(words, "#ffffff") >= 4.5
        assert contrast(IN_THE_DARK[words], IN_THE_DARK["#ffffff"]) >= 4.5
