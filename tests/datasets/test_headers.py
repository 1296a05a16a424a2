"""Whether the first row of a CSV is a header, where the names of its columns may be numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.datasets.uploads.headers import has_header
from tests.datasets.reading import arrays_of, facts_of, refusals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(1)
SPECTRA = [[f"{value:.4f}" for value in row] for row in RNG.uniform(0.4, 0.7, (20, 6))]
COUNTS = [[str(value) for value in row] for row in RNG.integers(0, 255, (20, 6))]
SALES = [[str(value) for value in row] for row in RNG.integers(1500, 2500, (20, 6))]
LABELS = ["oak", "pine"] * 10
CLASSES = ["0", "1"] * 10
WAVELENGTHS = ["900", "950", "1000", "1050", "1100", "1150"]
YEARS = [str(year) for year in range(2001, 2007)]
PPM = ["9.98", "9.94", "9.90", "9.86", "9.82", "9.78"]
NUMBERED = [str(number) for number in range(6)]
GENES = ["7157", "1956", "672", "4609", "3845", "5290"]


def written(*rows: Sequence[str]) -> bytes:
    return "\n".join(map(",".join, rows)).encode()


@pytest.mark.parametrize("names", [WAVELENGTHS, YEARS, PPM, NUMBERED, GENES], ids=lambda names: names[1])
@pytest.mark.parametrize(
    ("rows", "targets", "title"),
    [
        (SPECTRA, LABELS, "species"),
        (SPECTRA, CLASSES, "target"),
        (SPECTRA, CLASSES, "7"),
        (COUNTS, CLASSES, "target"),
        (SALES, CLASSES, "target"),
    ],
    ids=["labels", "classes", "no word at all", "counts", "sales"],
)
def test_names_of_columns_may_be_numbers(
    tmp_path: Path, names: list[str], rows: list[list[str]], targets: list[str], title: str
) -> None:
    title = "6" if title == "7" and names is NUMBERED else title
    below = [[*row, target] for row, target in zip(rows, targets, strict=True)]
    facts = facts_of(tmp_path, written([*names, title], *below))
    assert (facts.samples, facts.columns) == (20, names)
    assert facts.class_counts == [10, 10]
    assert np.array_equal(arrays_of(tmp_path)["inputs"], np.array(rows, float))
    assert facts_of(tmp_path, written([*names, title], *below), targets=(title,)).columns == names


@pytest.mark.parametrize(
    "rows",
    [
        *([*map(list, np.array(rows))] for rows in (SPECTRA, COUNTS, SALES)),
        [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"], ["9", "10", "11"]],
        [["1", "2", "3", "4"], ["5", "6", "7", "8"], ["9", "10", "11", "12"]],
        [["0", "0", "0", "1"], ["0.1", "0.2", "0.3", "0"], ["0.2", "0.5", "0.6", "1"]],
        [["1.5", "2", "oak"], ["2.5", "1", "oak"], ["3.5", "3", "pine"]],
        [["1", "2", "3", "4"], ["2", "1", "4", "3"], ["4", "3", "1", "2"], ["3", "1", "2", "4"]],
        [["1", "2"], ["3", "4"], ["5", "6"]],
    ],
)
def test_rows_of_numbers_are_no_header(tmp_path: Path, rows: list[list[str]]) -> None:
    facts = facts_of(tmp_path, written(*rows))
    assert (facts.samples, facts.columns) == (len(rows), None)


def test_a_row_is_seldom_taken_for_a_header() -> None:
    """None of 600 tables without a header, small ones among them, loses its first row."""
    rng = np.random.default_rng(2)
    kinds: list[Callable[[tuple[int, int]], NDArray[Any]]] = [
        lambda shape: rng.normal(size=shape),
        lambda shape: rng.uniform(0, 100, size=shape).round(1),
        lambda shape: rng.integers(0, 2, size=shape),
        lambda shape: rng.integers(1, 6, size=shape),
        lambda shape: np.cumsum(rng.uniform(0, 3, size=shape), axis=1),
    ]
    for number in range(600):
        shape = (int(rng.integers(4, 40)), int(rng.integers(2, 9)))
        rows = [[str(value) for value in row] for row in kinds[number % len(kinds)](shape).tolist()]
        assert not has_header(rows[0], rows[1:]), rows[:3]


def test_the_request_has_the_last_word(tmp_path: Path) -> None:
    content = b"1,2,3\n4,5,6\n7,8,10\n"
    assert facts_of(tmp_path, content).columns is None
    facts = facts_of(tmp_path, content, header="present")
    assert (facts.samples, facts.columns) == (2, ["1", "2"])
    headed = written([*WAVELENGTHS, "7"], *([*row, label] for row, label in zip(SPECTRA, CLASSES, strict=True)))
    assert facts_of(tmp_path, headed).samples == 20
    facts = facts_of(tmp_path, headed, header="absent")
    assert (facts.samples, facts.columns) == (21, None)


@pytest.mark.parametrize(
    "content",
    [
        b"x,2,0\n1,2,1\n3,4,0\n",  # a name, or a number that went wrong
        b"1,2,ash\n1,3,oak\n2,1,oak\n1,2,pine\n2,3,pine\n",  # a name, or a label that is there once
    ],
)
def test_what_may_be_either_is_asked_about(tmp_path: Path, content: bytes) -> None:
    (refusal,) = refusals_of(tmp_path, content)
    assert refusal.code == "ambiguous_header"
    assert "header=present or header=absent" in refusal.detail
    assert facts_of(tmp_path, content, header="present").samples == content.count(b"\n") - 1


@pytest.mark.parametrize("names", [NUMBERED, WAVELENGTHS])
@pytest.mark.parametrize("targets", [LABELS, CLASSES])
def test_targets_may_stand_first(tmp_path: Path, names: list[str], targets: list[str]) -> None:
    for rows in (SPECTRA, COUNTS):
        content = written(["kind", *names], *([target, *row] for row, target in zip(rows, targets, strict=True)))
        facts = facts_of(tmp_path, content, targets=("kind",))
        assert (facts.samples, facts.columns, facts.class_counts) == (20, names, [10, 10])


def test_a_column_may_have_the_name_of_a_number_that_is_none(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, b"age,inf,y\n1,2,0\n3,4,1\n")
    assert (facts.samples, facts.columns) == (2, ["age", "inf"])


def test_a_missing_value_in_the_first_row_makes_it_no_header(tmp_path: Path) -> None:
    for first in ("NA,2,0", ",2,0", "?,?,0"):
        (refusal, *_) = refusals_of(tmp_path, f"{first}\n1,2,1\n3,4,0\n".encode())
        assert "line 1" in refusal.detail
