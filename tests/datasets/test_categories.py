"""Columns of text among the inputs: refused with what helps, left out, or encoded as pandas encodes them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.contract.data.dataset import EncodedColumn, UploadFormat
from tests.datasets import penguins
from tests.datasets.reading import UPLOAD_LIMITS, arrays_of, facts_of, refusals_of
from tests.support.uploads import parquet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.datasets.uploads.request import Refusal

CSV, PARQUET = UploadFormat.CSV, UploadFormat.PARQUET
SHAPES = {
    "raw": penguins.raw(),
    "with row names": penguins.quoted(),
    "with an index": penguins.quoted(""),
    "as pandas writes an index that was read": penguins.quoted("Unnamed: 0"),
}
LEFT_OUT = {
    "raw": [],
    "with row names": ["rownames"],
    "with an index": ["column 1"],
    "as pandas writes an index that was read": ["Unnamed: 0"],
}


def frame() -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(penguins.raw()))


def as_parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


def follow(refused: Sequence[Refusal], choice: dict[str, Any]) -> dict[str, Any]:
    """Add the first remedy for each parameter, as a client would that knows nothing but the errors."""
    found: dict[str, Any] = {}
    for refusal in refused:
        for remedy in refusal.remedies[:1]:
            name, _, value = remedy.partition("=")
            found.setdefault(name, (value,) if name in {"targets", "inputs"} else value)
    return choice | found


@pytest.mark.parametrize("shape", SHAPES)
def test_penguins_are_taken_by_what_one_error_says(tmp_path: Path, shape: str) -> None:
    refused = refusals_of(tmp_path, SHAPES[shape])
    assert [(one.code, one.column) for one in refused] == [
        ("doubtful_target", "year"),
        ("not_a_number", "species"),
        ("not_a_number", "island"),
        *(("missing_value", name) for name in penguins.MEASURES),
        ("not_a_number", "sex"),
    ]
    doubt, _, island, bill, *_, sex = refused
    assert doubt.remedies == ("targets=species", "targets=year")
    assert island.detail.startswith("column island holds text: Biscoe, Dream, Torgersen (3 different); ")
    assert (island.remedies, bill.remedies) == (("categorical=drop", "categorical=encode"), ("missing=drop",))
    assert "(2 different, 6 missing)" in sex.detail
    choice = follow(refused, {})
    assert choice == {"targets": ("species",), "categorical": "drop", "missing": "drop"}
    facts = facts_of(tmp_path, SHAPES[shape], **choice)
    known = frame()[[*penguins.MEASURES, "year", "species"]].dropna()
    assert (facts.columns, facts.target_columns) == ([*penguins.MEASURES, "year"], ["species"])
    assert facts.dropped_columns == [*LEFT_OUT[shape], "island", "sex"]
    assert (facts.samples, facts.dropped_rows) == (len(known), 2)
    assert facts.class_names == ["Adelie", "Chinstrap", "Gentoo"]
    assert np.array_equal(arrays_of(tmp_path)["inputs"], known[facts.columns].to_numpy(np.float64))


@pytest.mark.parametrize("shape", SHAPES)
def test_penguins_are_encoded_as_pandas_does(tmp_path: Path, shape: str) -> None:
    choice: dict[str, Any] = {"targets": ("species",), "missing": "drop", "categorical": "encode"}
    facts = facts_of(tmp_path, SHAPES[shape], **choice)
    known = frame().dropna()
    inputs = known.drop(columns="species")
    dummies = pd.get_dummies(inputs, prefix_sep="=")
    assert set(facts.columns or ()) == set(dummies.columns)
    assert facts.columns == [
        *("island=Biscoe", "island=Dream", "island=Torgersen", *penguins.MEASURES, "sex=female", "sex=male", "year"),
    ]
    assert facts.encoded == [
        EncodedColumn(column="island", levels=["Biscoe", "Dream", "Torgersen"]),
        EncodedColumn(column="sex", levels=["female", "male"]),
    ]
    assert np.array_equal(arrays_of(tmp_path)["inputs"], dummies[facts.columns].to_numpy(np.float64))
    assert (facts.dropped_rows, facts.dropped_columns) == (len(frame()) - len(known), LEFT_OUT[shape] or None)


def test_parquet_is_encoded_as_csv_is(tmp_path: Path) -> None:
    choice: dict[str, Any] = {"targets": ("species",), "missing": "drop"}
    table = frame()
    categories = table.astype({"island": "category", "sex": "category", "species": "category"})
    for categorical in ("drop", "encode"):
        expected = facts_of(tmp_path, penguins.raw(), **choice, categorical=categorical)
        inputs = arrays_of(tmp_path)["inputs"]
        for content in (as_parquet(table), as_parquet(categories)):
            assert facts_of(tmp_path, content, PARQUET, **choice, categorical=categorical) == expected
            assert np.array_equal(arrays_of(tmp_path)["inputs"], inputs)
    refused = refusals_of(tmp_path, as_parquet(categories), PARQUET)
    assert [one.column for one in refused] == [one.column for one in refusals_of(tmp_path, penguins.raw())]
    assert [one.remedies for one in refused] == [one.remedies for one in refusals_of(tmp_path, penguins.raw())]
    assert {one.code for one in refused} == {"doubtful_target", "wrong_dtype", "missing_value"}


def test_truth_values_are_encoded_and_else_numbers(tmp_path: Path) -> None:
    csv = b"a,smokes,y\n1,true,0\n2,false,1\n3,true,0\n"
    table = parquet({"a": [1.0, 2, 3], "smokes": [True, False, True], "y": [0, 1, 0]})
    for content, kind in ((csv, CSV), (table, PARQUET)):
        for categorical in ("refuse", "drop"):
            assert facts_of(tmp_path, content, kind, categorical=categorical).columns == ["a", "smokes"]
            assert arrays_of(tmp_path)["inputs"][:, 1].tolist() == [1, 0, 1]
        facts = facts_of(tmp_path, content, kind, categorical="encode")
        assert facts.columns == ["a", "smokes=False", "smokes=True"]
        assert arrays_of(tmp_path)["inputs"][:, 1:].tolist() == [[0, 1], [1, 0], [0, 1]]


def test_too_many_levels_are_refused_by_name(tmp_path: Path) -> None:
    most = UPLOAD_LIMITS.levels
    for count, taken in ((most, True), (most + 1, False)):
        rows = "\n".join(f"{row},n{row % count},{row % 2}" for row in range(2 * most + 2))
        content = f"a,name,y\n{rows}\n".encode()
        if taken:
            assert facts_of(tmp_path, content, categorical="encode").features == 1 + count
        else:
            (refusal,) = refusals_of(tmp_path, content, categorical="encode")
            assert (refusal.code, refusal.column, refusal.remedies) == (
                "too_many_levels",
                "name",
                ("categorical=drop",),
            )
            assert f"({count} different), of which at most {most}" in refusal.detail
    assert facts_of(tmp_path, content, categorical="drop").dropped_columns == ["name"]


def test_free_text_takes_bounded_memory(tmp_path: Path) -> None:
    rows = "\n".join(f"{row},n{row},{row % 2}" for row in range(10_500))
    (refusal,) = refusals_of(tmp_path, f"a,name,y\n{rows}\n".encode(), categorical="encode")
    assert "(more than 9999 different)" in refusal.detail


def test_text_far_below_is_found(tmp_path: Path) -> None:
    """The first rows are surveyed; a column whose text stands below them is read again."""
    rows = [f"{row},,{row % 2}" for row in range(1500)] + [f"{row},red,{row % 2}" for row in range(1500, 1600)]
    content = "\n".join(["a,colour,y", *rows]).encode()
    facts = facts_of(tmp_path, content, categorical="encode", missing="drop")
    assert (facts.columns, facts.samples, facts.dropped_rows) == (["a", "colour=red"], 100, 1500)
    assert refusals_of(tmp_path, content)[0].column == "colour"


def test_a_column_of_numbers_with_a_slip_is_not_encoded(tmp_path: Path) -> None:
    content = b"a,b,y\n1,1,0\n2,oops,1\n3,3,0\n4,2,1\n"
    for categorical in ("refuse", "drop", "encode"):
        (refusal,) = refusals_of(tmp_path, content, categorical=categorical)
        assert (refusal.code, refusal.column, refusal.remedies) == ("not_a_number", "b", ())
        assert "line 3, column 2 ('b') is not a number" in refusal.detail
    codes = b"a,b,y\n1,A1,0\n2,7,1\n3,B2,0\n4,A1,1\n"
    assert facts_of(tmp_path, codes, categorical="encode").columns == ["a", "b=7", "b=A1", "b=B2"]


def test_text_with_missing_values_is_encoded_without_those_rows(tmp_path: Path) -> None:
    content = b"a,b,y\n1,x,0\n2,,1\n3,z,0\n4,w,\n"
    refused = refusals_of(tmp_path, content, categorical="encode")
    assert [(one.code, one.column, one.remedies[0]) for one in refused] == [
        ("missing_value", "b", "missing=drop"),
        ("missing_value", "y", "missing=drop"),
    ]
    facts = facts_of(tmp_path, content, categorical="encode", missing="drop")
    assert (facts.columns, facts.samples) == (["a", "b=x", "b=z"], 2)  # w is of a row that went


def test_a_table_of_text_alone(tmp_path: Path) -> None:
    content = b"colour,size,y\nred,S,0\nblue,L,1\nred,L,0\n"
    (refusal,) = refusals_of(tmp_path, content, categorical="drop")
    assert (refusal.code, refusal.remedies) == ("no_inputs", ("categorical=encode",))
    facts = facts_of(tmp_path, content, categorical="encode")
    assert facts.columns == ["colour=blue", "colour=red", "size=L", "size=S"]


def test_without_a_header_columns_go_by_position(tmp_path: Path) -> None:
    content = b"1,x,0\n2,z,1\n3,x,0\n"
    (refusal,) = refusals_of(tmp_path, content, header="absent")
    assert (refusal.column, refusal.detail.split(":")[0]) == ("1", "column 1 holds text")
    facts = facts_of(tmp_path, content, header="absent", categorical="encode")
    assert facts.columns == ["0", "1=x", "1=z"]
    assert facts_of(tmp_path, content, header="absent", categorical="drop").dropped_columns == ["1"]


def test_names_that_encoding_makes_alike_are_refused(tmp_path: Path) -> None:
    (refusal,) = refusals_of(tmp_path, b"b=x,b,y\n1,x,0\n2,z,1\n", categorical="encode")
    assert refusal.code == "ambiguous_column"


def test_encoding_past_the_limit_of_features_is_refused(tmp_path: Path) -> None:
    columns = [f"c{k}" for k in range(50)]
    rows = [",".join([*(f"v{row}" for _ in columns), str(row % 2)]) for row in range(90)]
    content = "\n".join([",".join([*columns, "y"]), *rows]).encode()
    (refusal,) = refusals_of(tmp_path, content, categorical="encode")
    assert (refusal.code, "has 4500 with those encoded" in refusal.detail) == ("too_many_features", True)


def test_a_level_that_no_terminal_should_obey_is_shown_harmless(tmp_path: Path) -> None:
    content = b"a,b,y\n1,\x1b[31mred,0\n2,blue,1\n"
    assert "\x1b" not in refusals_of(tmp_path, content)[0].detail
    assert refusals_of(tmp_path, content, categorical="encode")[0].code == "control_character"


# targets and numbers of rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "proposed"),
    [
        ("target,b,c", ("targets=target", "targets=c")),
        ("y,b,c", ("targets=y", "targets=c")),
        ("Class,b,year", ("targets=Class", "targets=year")),
        ("x,y,z", None),
        ("a,b,y", None),
        ("a,b,year", None),
        ("a,label,class", None),
    ],
)
def test_a_target_is_proposed_where_the_last_is_doubtful(
    tmp_path: Path, header: str, proposed: tuple[str, ...] | None
) -> None:
    content = f"{header}\n0,1.5,2\n1,2.5,3\n0,3.5,5\n".encode()
    if proposed is None:
        assert facts_of(tmp_path, content).target_columns == [header.rsplit(",", maxsplit=1)[-1]]
    else:
        (refusal,) = refusals_of(tmp_path, content)
        assert (refusal.code, refusal.remedies, refusal.parameter) == ("doubtful_target", proposed, None)
    last = header.rsplit(",", maxsplit=1)[-1]
    assert facts_of(tmp_path, content, targets=(last,)).target_columns == [last]
    assert facts_of(tmp_path, content, inputs_only=True).target_columns is None


def test_free_text_is_no_target_where_classes_are_there(tmp_path: Path) -> None:
    rows = "\n".join(f"{row},{'uv'[row % 2]},remark {row}" for row in range(12))
    first, *_ = refusals_of(tmp_path, f"a,kind,remark\n{rows}\n".encode(), categorical="drop")
    assert (first.code, first.remedies) == ("doubtful_target", ("targets=kind", "targets=remark"))


@pytest.mark.parametrize(
    ("name", "start", "step", "left_out"),
    [("", 0, 1, True), ("rowid", 1, 1, True), ("ID", 1, 1, True), ("age", 1, 1, False), ("id", 1, 2, False)],
)
def test_numbers_of_rows_are_no_input(tmp_path: Path, name: str, start: int, step: int, *, left_out: bool) -> None:
    rows = "\n".join(f"{start + step * row},{row / 7},{row % 2}" for row in range(5))
    content = f"{name},a,y\n{rows}\n".encode()
    facts = facts_of(tmp_path, content)
    assert facts.columns == (["a"] if left_out else [name, "a"])
    assert facts.dropped_columns == ([name or "column 1"] if left_out else None)
    assert facts_of(tmp_path, content, inputs=(name, "a")).features == 2
    if name == "ID":
        table = parquet({name: range(1, 6), "a": [0.5] * 5, "y": [0, 1, 0, 1, 0]})
        assert facts_of(tmp_path, table, PARQUET).columns == ["a"]
        alone = f"{name},y\n1,0\n2,1\n3,0\n".encode()
        assert facts_of(tmp_path, alone).columns == [name]


# properties -----------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["red", "blue", "a b", "=", "Ähre", "x,y", "7", "True", "e"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), WORDS, WORDS), min_size=1, max_size=12))
def test_rows_are_one_hot_and_formats_agree(rows: list[tuple[float, str, str]]) -> None:
    columns: dict[str, list[Any]] = {
        "a": [row[0] for row in rows],
        "u": [row[1] for row in rows],
        "v": [row[2] for row in rows],
        "y": [0] * len(rows),
    }
    table = pd.DataFrame(columns)
    csv = table.to_csv(index=False).encode()
    numeric = [name for name in "uv" if 2 * sum(word == "7" for word in columns[name]) >= len(rows)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if numeric:  # a CSV does not tell such a column from one of numbers
            return
        facts = facts_of(folder, csv, header="present", categorical="encode")
        inputs = arrays_of(folder)["inputs"]
        assert facts_of(folder, parquet(columns), PARQUET, categorical="encode") == facts
        assert np.array_equal(arrays_of(folder)["inputs"], inputs)
        assert facts.encoded is not None
        for column in facts.encoded:
            places = [list(facts.columns or ()).index(one) for one in column.columns]
            part = inputs[:, places]
            assert (part.sum(axis=1) == 1.0).all()
            assert column.levels == sorted(set(columns[column.column]))
            assert [column.levels[k] for k in part.argmax(axis=1)] == columns[column.column]
        assert inputs[:, 0].tolist() == columns["a"]
