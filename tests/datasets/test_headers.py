"""Whether the first row of a CSV is a header, where the names of its columns may be numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.datasets.uploads.tables.headers import has_header
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
        [["2", "1", "4", "3"], ["1", "2", "3", "4"], ["4", "3", "1", "2"], ["3", "1", "2", "4"]],
        [["5.1", "3.5", "oak"], ["4.9", "3", "pine"], ["4.7", "3.2", "ash"]],
        [["0", "1", "9"], ["0.1", "0.904837", "8"], ["0.2", "0.818731", "9"]],
        [["0", "-0.5"], ["0.1", "-0.4"], ["0.2", "-0.2"]],
        [["12", "7"], ["5", "2"], ["9", "4"], ["11", "3"]],
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
    content = b"1,2,3\n4,5,6\n7,8,9\n"
    assert facts_of(tmp_path, content).columns is None
    facts = facts_of(tmp_path, content, header="present")
    assert (facts.samples, facts.columns) == (2, ["1", "2"])
    headed = written([*WAVELENGTHS, "7"], *([*row, label] for row, label in zip(SPECTRA, CLASSES, strict=True)))
    assert facts_of(tmp_path, headed).samples == 20
    facts = facts_of(tmp_path, headed, header="absent")
    assert (facts.samples, facts.columns) == (21, None)


def by_row(function: Callable[[int], Sequence[Any]], rows: int) -> bytes:
    return written(*([f"{value:g}" for value in function(row)] for row in range(rows)))


RANKINGS = [[str(place + 1) for place in RNG.permutation(6)] for _ in range(99)]
ORDERS = [[str(place) for place in RNG.permutation(4)] for _ in range(99)]


@pytest.mark.parametrize(
    "content",
    [
        b"x,2,0\n1,2,1\n3,4,0\n",  # a name, or a number that went wrong
        b"1,2,ash\n1,3,oak\n2,1,oak\n1,2,pine\n2,3,pine\n",  # a name, or a label that is there once
        by_row(lambda row: (row / 10, math.exp(-row / 10)), 50),
        by_row(lambda row: (row, 7 * row % 50 or 1, 3 * row % 40 or 2) if row else (0, 1, 2), 50),
        written([str(place + 1) for place in range(6)], *RANKINGS),
        written([str(place) for place in range(4)], *ORDERS),
        b"0,5,-2,10\n0.1,4.9,-1.9,9.8\n0.2,4.8,-1.8,9.6\n0.3,4.7,-1.7,9.4\n0.4,4.6,-1.6,9.2\n",
        b"0,1,2\n1.5,2.5,0\n",
        written(["1", "2", "3", "4"], *(row[:4] for row in COUNTS[:8])),
        written(["2019", "2020", "2021"], *(row[:3] for row in SALES[:8])),
        b"2019,2020,2021\n1,2,3\n4,5,6\n7,8,10\n",
        b"1,2,3\n4,5,6\n7,8,10\n",
        b"0.1,5.2,A1\n0.2,4.1,90210\n0.3,3.7,10001\n",  # a name, or a label of which the others are numbers
        b"2019,2020,y\n1,2,y\n4,5,n\n3,4,y\n",  # a name, or a label that comes again
    ],
)
def test_what_may_be_either_is_asked_about(tmp_path: Path, content: bytes) -> None:
    (refusal,) = refusals_of(tmp_path, content)
    assert refusal.code == "ambiguous_header"
    assert "header=present or header=absent" in refusal.detail
    assert facts_of(tmp_path, content, header="present").samples == len(content.split()) - 1
    if not content.startswith(b"x"):
        assert facts_of(tmp_path, content, header="absent").samples == len(content.split())


@pytest.mark.parametrize(
    ("content", "columns", "labels"),
    [
        (b"2019,2020,2021,y\n1,2,3,a\n4,5,6,b\n7,8,9,c\n", ["2019", "2020", "2021"], ["a", "b", "c"]),
        (b"2019,2020,y\n1,2,a\n4,5,b\n3,3,c\n2,9,a\n", ["2019", "2020"], ["a", "b", "c"]),
        (b"0,1,2,y\n1,2,3,a\n4,5,6,b\n7,8,9,a\n1,1,1,b", ["0", "1", "2"], ["a", "b"]),
    ],
)
def test_a_text_above_labels_is_a_name_where_numbers_beside_it_are(
    tmp_path: Path, content: bytes, columns: list[str], labels: list[str]
) -> None:
    facts = facts_of(tmp_path, content)
    assert (facts.columns, facts.class_names) == (columns, labels)


def test_ordinary_tables_are_taken_without_asking() -> None:
    """Of 1000 tables of fractions, and of 1000 with a header of words, none is asked about."""
    rng = np.random.default_rng(3)
    for _ in range(1000):
        shape = (int(rng.integers(3, 40)), int(rng.integers(2, 9)))
        numbers = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape[1])).round(4)
        rows = [[str(value) for value in row] for row in numbers.tolist()]
        assert has_header(rows[0], rows[1:]) is False, rows[:3]
        assert has_header([f"x{place}" for place in range(shape[1])], rows) is True
        labelled = [[*row, "ab"[place % 2]] for place, row in enumerate(rows)]
        assert has_header(labelled[0], labelled[1:]) is False, labelled[:3]


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
