"""What kind a column of targets is, and what becomes of missing values, in every format alike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from service.contract.data.dataset import SampleFacts, UploadFormat
from tests.datasets.reading import arrays_of, facts_of, refusals_of
from tests.support.uploads import npz, parquet

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = ["", "NA", "nan", "NaN", "None", "null", "N/A", " NA "]
CSV, NPZ, PARQUET = UploadFormat.CSV, UploadFormat.NPZ, UploadFormat.PARQUET


def csv(targets: list[str]) -> bytes:
    return "\n".join(["a,y", *(f"{row},{target}" for row, target in enumerate(targets))]).encode()


def columns(targets: Any) -> dict[str, Any]:
    return {"a": np.arange(float(len(targets))), "y": targets}


def kind_of(facts: SampleFacts) -> tuple[Any, ...]:
    return facts.integers, facts.class_counts, facts.class_names


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["1", "3A", "1"], (True, [2, 1], ["1", "3A"])),
        (["5", "5-10", "10-15"], (True, [1, 1, 1], ["10-15", "5", "5-10"])),
        (["0.5", "1", "placebo"] * 4, (True, [4, 4, 4], ["0.5", "1", "placebo"])),
        (["2", "0", "1"], (True, [1, 1, 1], None)),
        (["2.5", "0", "1"], (False, None, None)),
        (["oak", "pine", "oak"], (True, [2, 1], ["oak", "pine"])),
        (["True", "False", "True"], (True, [1, 2], ["False", "True"])),
    ],
)
def test_the_kind_of_a_column_does_not_depend_on_the_order_of_its_rows(
    tmp_path: Path, targets: list[str], expected: tuple[Any, ...]
) -> None:
    shuffler = np.random.default_rng(0)
    for _ in range(5):
        assert kind_of(facts_of(tmp_path, csv(targets))) == expected
        assert kind_of(facts_of(tmp_path, parquet(columns(targets)), PARQUET)) == expected
        assert kind_of(facts_of(tmp_path, npz(X=np.zeros((len(targets), 1)), y=np.array(targets)), NPZ)) == expected
        targets = shuffler.permutation(targets).tolist()


def test_measurements_with_something_else_among_them_are_no_labels(tmp_path: Path) -> None:
    targets = [f"{value:.3f}" for value in np.random.default_rng(0).normal(size=30)]
    for place in (0, 15, 30):
        spoilt = [*targets[:place], "n.d.", *targets[place:]]
        (refusal,) = refusals_of(tmp_path, csv(spoilt))
        assert refusal.code == "not_a_number"
        assert f"line {place + 2}, column 2 ('y')" in refusal.detail
    many = [str(number) for number in range(100)]
    assert refusals_of(tmp_path, csv([*many, "n.d."]))[0].code == "not_a_number"
    assert facts_of(tmp_path, csv(many)).class_names is None


@pytest.mark.parametrize("truths", [["true", "false"], ["TRUE", "FALSE"], ["True", "False"], ["TRUE", "false"]])
def test_truth_values_are_one_pair_of_labels(tmp_path: Path, truths: list[str]) -> None:
    expected = (True, [1, 2], ["False", "True"])
    targets = [truths[0], truths[1], truths[0]]
    for content, kind in (
        (csv(targets), CSV),
        (parquet(columns(targets)), PARQUET),
        (parquet(columns([True, False, True])), PARQUET),
        (npz(X=np.zeros((3, 1)), y=np.array(targets)), NPZ),
        (npz(X=np.zeros((3, 1)), y=np.array([True, False, True])), NPZ),
    ):
        assert kind_of(facts_of(tmp_path, content, kind)) == expected
    assert facts_of(tmp_path, csv([*targets, "unknown"])).class_names == sorted({*truths, "unknown"})


@pytest.mark.parametrize(
    "targets",
    [
        [*"AB" * 10, "1.5"],
        ["v1", "v2", "beta", "2.1"],
        ["ok", "bad", "ok", "Inf"],
        ["1/2", "3/4", "0.5"],
        ["1E1", "2E1", "B3"],
    ],
)
def test_few_numbers_among_labels_are_labels(tmp_path: Path, targets: list[str]) -> None:
    for content, kind in ((csv(targets), CSV), (parquet(columns(targets)), PARQUET)):
        assert facts_of(tmp_path, content, kind).class_names == sorted(set(targets))
        (refusal,) = refusals_of(tmp_path, csv(["1.5", "2.5", "3.5", "4.5", "n.d."]))
        assert refusal.code == "not_a_number"


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("others", [["0", "1", "1"], ["oak", "pine", "pine"], ["0.5", "1.5", "2.5"]])
def test_missing_targets_are_refused_unless_dropped(tmp_path: Path, marker: str, others: list[str]) -> None:
    whole = kind_of(facts_of(tmp_path, csv(others)))
    for place in range(4):
        targets = [*others[:place], marker, *others[place:]]
        contents = [(csv(targets), CSV, f"line {place + 2}"), (parquet(columns(targets)), PARQUET, f"row {place + 1}")]
        for content, kind, row in contents:
            (refusal,) = refusals_of(tmp_path, content, kind)
            assert refusal.code == "missing_value"
            assert all(words in refusal.detail for words in ("column 2 ('y')", row, "missing=drop", "missing=label"))
            facts = facts_of(tmp_path, content, kind, missing="drop")
            assert (facts.samples, facts.dropped_rows, kind_of(facts)) == (3, 1, whole)
            assert place not in arrays_of(tmp_path)["inputs"]


@pytest.mark.parametrize("marker", MARKERS)
def test_missing_targets_may_be_labels(tmp_path: Path, marker: str) -> None:
    for others in (["1", "0", "1"], ["oak", "pine", "oak"]):
        targets = [marker, *others]
        expected = sorted({marker.strip(), *others})
        for content, kind in ((csv(targets), CSV), (parquet(columns(targets)), PARQUET)):
            facts = facts_of(tmp_path, content, kind, missing="label")
            assert (facts.class_names, facts.dropped_rows) == (expected, 0)


def test_nulls_of_every_type_are_missing(tmp_path: Path) -> None:
    for targets, kept in (
        (pa.array([1, None, 0]), (True, [1, 1], None)),
        (pa.array([1.5, None, 0.0]), (False, None, None)),
        (pa.array(["x", None, "z"]), (True, [1, 1], ["x", "z"])),
        (pa.array([True, None, False]), (True, [1, 1], ["False", "True"])),
        (pa.array([Decimal("1.5"), None, Decimal("2.5")]), (False, None, None)),
        (pa.array(["x", None, "z"]).dictionary_encode(), (True, [1, 1], ["x", "z"])),
    ):
        content = parquet(columns(targets))
        (refusal,) = refusals_of(tmp_path, content, PARQUET)
        assert (refusal.code, "row 2" in refusal.detail) == ("missing_value", True)
        facts = facts_of(tmp_path, content, PARQUET, missing="drop")
        assert (facts.samples, facts.dropped_rows, kind_of(facts)) == (2, 1, kept)
    facts = facts_of(tmp_path, parquet(columns(pa.array([1, None, 0]))), PARQUET, missing="label")
    assert facts.class_names == ["", "0", "1"]


def test_missing_inputs_name_every_column_and_may_be_dropped(tmp_path: Path) -> None:
    content = b"a,b,c,y\n1,NA,1,0\n2,5,,1\n3,6,nan,1\n4,7,8,0\n"
    floats: dict[str, list[Any]] = {
        "a": [1.0, 2, 3, 4],
        "b": [None, 5.0, 6, 7],
        "c": [1.0, None, float("nan"), 8],
        "y": [0, 1, 1, 0],
    }
    inputs = np.array([[np.nan if value is None else value for value in floats[name]] for name in "abc"]).T
    for upload, kind, rows in (
        (content, CSV, ("line 2", "line 3")),
        (parquet(floats), PARQUET, ("row 1", "row 2")),
        (npz(X=inputs, y=np.array(floats["y"])), NPZ, ("row 1", "row 2")),
    ):
        first, second = refusals_of(tmp_path, upload, kind)
        assert (first.code, second.code) == ("missing_value", "missing_value")
        assert ("column 2" in first.detail, rows[0] in first.detail) == (True, True)
        assert ("column 3" in second.detail, f"2 missing values, the first in {rows[1]}" in second.detail) == (
            True,
            True,
        )
        facts = facts_of(tmp_path, upload, kind, missing="drop")
        assert (facts.samples, facts.dropped_rows, facts.class_counts) == (1, 3, [1])
        assert arrays_of(tmp_path)["inputs"].tolist() == [[4, 7, 8]]
        assert refusals_of(tmp_path, upload, kind, missing="label")[0].code == "missing_value"


def test_a_class_that_is_dropped_with_its_rows_is_none(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, b"a,y\nNA,ash\n2,oak\n3,pine\n", missing="drop")
    assert (facts.class_names, facts.class_counts) == (["oak", "pine"], [1, 1])
    (refusal,) = refusals_of(tmp_path, b"a,y\nNA,ash\n2,\n", missing="drop")
    assert (refusal.code, "each has a missing value" in refusal.detail) == ("empty", True)


def test_an_infinite_number_is_not_missing(tmp_path: Path) -> None:
    for missing in ("refuse", "drop", "label"):
        for content in (b"a,y\ninf,0\n1,1\n", b"a,y\n1,inf\n2,1\n"):
            assert refusals_of(tmp_path, content, missing=missing)[0].code == "not_finite"


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["01", "01"], ["01"]),
        (["02", "01", "02"], ["01", "02"]),
        (["1", "01"], ["01", "1"]),
        (["1", "2.0"], ["1", "2.0"]),
        (["1.00", "2.00"], ["1.00", "2.00"]),
        (["1", "2"], None),  # as any integers are written
        (["1.0", "2.0"], None),  # and any other numbers
        (["01", "x"], None),  # labels, which have names
        (["0.50", "1.5"], None),  # no classes
    ],
)
def test_the_texts_of_numbers_are_kept_where_they_are_unusual(
    tmp_path: Path, targets: list[str], expected: list[str] | None
) -> None:
    for content, kind in (
        (csv(targets), CSV),
        (parquet(columns(targets)), PARQUET),
        (npz(X=np.zeros((len(targets), 1)), y=np.array(targets)), NPZ),
    ):
        assert facts_of(tmp_path, content, kind).number_labels == expected
