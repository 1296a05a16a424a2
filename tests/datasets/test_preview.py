"""A look at a data set, against pandas: columns, ranges, classes, first rows; large and old ones too."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from service.contract.data.dataset import UploadFormat
from service.contract.data.preview import MOST_CLASSES, MOST_COLUMNS, MOST_ROWS
from service.datasets.uploads.__main__ import look, read
from service.datasets.uploads.request import PreviewRequest
from tests.datasets import penguins
from tests.datasets.reading import facts_of, request
from tests.support.uploads import npz

if TYPE_CHECKING:
    from pathlib import Path

    from service.contract.data.preview import DatasetPreview

CSV, NPZ = UploadFormat.CSV, UploadFormat.NPZ
CHOICE: dict[str, Any] = {"targets": ("species",), "missing": "drop"}


def preview_of(folder: Path, content: bytes, kind: UploadFormat = CSV, **choice: object) -> DatasetPreview:
    found = read(request(folder, content, kind, **choice)).preview
    assert found is not None
    return found


def looked_at(folder: Path, content: bytes, kind: UploadFormat = CSV, **choice: object) -> DatasetPreview:
    """What is found in the canonical form alone, as of a data set that an earlier version was given."""
    facts = facts_of(folder, content, kind, **choice)
    found = look(PreviewRequest(canonical=str(folder / "canonical"), facts=facts)).preview
    assert found is not None
    return found


def test_penguins_at_a_look(tmp_path: Path) -> None:
    preview = preview_of(tmp_path, penguins.raw(), **CHOICE, categorical="drop")
    table = pd.read_csv(io.BytesIO(penguins.raw()))
    kept = table.dropna(subset=penguins.MEASURES)
    assert (preview.samples, preview.dropped_rows, preview.dropped_columns) == (len(kept), 2, ["island", "sex"])
    assert [column.name for column in preview.columns] == [*penguins.MEASURES, "year", "species"]
    *inputs, species = preview.columns
    for column in inputs:
        values = kept[column.name]
        assert (column.role, column.minimum, column.maximum) == ("input", values.min(), values.max())
        assert column.mean == pytest.approx(values.mean(), rel=1e-14)
        assert column.missing == table[column.name].isna().sum()
        assert column.type == ("number" if "bill" in str(column.name) else "integer")
    assert (species.role, species.type, species.mean) == ("target", "label", None)
    counted = {one.name: one.samples for one in species.classes or ()}
    assert counted == kept["species"].value_counts().to_dict()
    first = kept.head(MOST_ROWS)
    assert preview.rows == [
        [*row[:2], *map(int, row[2:5]), row[5]]
        for row in first[[*penguins.MEASURES, "year", "species"]].itertuples(index=False, name=None)
    ]


def test_encoded_columns_are_called_so(tmp_path: Path) -> None:
    preview = preview_of(tmp_path, penguins.raw(), **CHOICE, categorical="encode")
    encoded = [column for column in preview.columns if column.type == "encoded"]
    assert [column.name for column in encoded] == [
        *("island=Biscoe", "island=Dream", "island=Torgersen", "sex=female", "sex=male"),
    ]
    assert {column.missing for column in encoded} == {0, 6}  # those of sex
    assert preview.rows[0][:3] == [0, 0, 1]


def test_classes_by_number_and_numbers(tmp_path: Path) -> None:
    preview = preview_of(tmp_path, b"a,y\n0.1,2\n0.2,0\n0.30000000000000004,2\n")
    target = preview.columns[-1]
    assert (target.type, target.minimum, target.maximum) == ("integer", 0, 2)
    assert [(one.name, one.samples) for one in target.classes or ()] == [("0", 1), ("2", 2)]
    assert preview.rows == [[0.1, 2], [0.2, 0], [0.30000000000000004, 2]]
    preview = preview_of(tmp_path, b"a,y\n1,02\n2,01\n3,02\n")
    assert [(one.name, one.samples) for one in preview.columns[-1].classes or ()] == [("01", 1), ("02", 2)]
    preview = preview_of(tmp_path, b"a,u,v\n1e20,0.5,1\n2,1.5,2\n", targets=("u", "v"))
    assert [(one.role, one.type, one.classes) for one in preview.columns[1:]] == [
        ("target", "number", None),
        ("target", "integer", None),
    ]
    assert preview.rows[0] == [1e20, 0.5, 1]


def test_arrays_have_no_names(tmp_path: Path) -> None:
    X = np.arange(30.0).reshape(15, 2) / 7
    preview = preview_of(tmp_path, npz(X=X, y=X[:, :1]), NPZ)
    assert [(column.name, column.role) for column in preview.columns] == [
        (None, "input"),
        (None, "input"),
        (None, "target"),
    ]
    assert (len(preview.rows), preview.rows[9][:2]) == (MOST_ROWS, X[9].tolist())
    assert preview_of(tmp_path, npz(X=X), NPZ, inputs_only=True).columns[-1].role == "input"


def test_no_more_is_listed_than_said(tmp_path: Path) -> None:
    X, y = np.zeros((300, 350)), np.zeros((300, 150))
    preview = preview_of(tmp_path, npz(X=X, y=y), NPZ)
    assert (len(preview.columns), preview.more_columns) == (MOST_COLUMNS, 300)
    assert [column.role for column in preview.columns] == ["input"] * 100 + ["target"] * 100
    assert {len(row) for row in preview.rows} == {MOST_COLUMNS}
    preview = preview_of(tmp_path, npz(X=X, y=y[:, 0]), NPZ)
    assert [column.role for column in preview.columns] == ["input"] * 199 + ["target"]
    preview = preview_of(tmp_path, npz(X=X[:, :3], y=np.array([f"c{k:03}" for k in range(300)])), NPZ)
    assert (len(preview.columns[-1].classes or ()), preview.columns[-1].more_classes) == (MOST_CLASSES, 100)
    assert preview.rows[9][-1] == "c009"


@pytest.mark.parametrize("categorical", ["drop", "encode"])
def test_an_earlier_upload_is_looked_at_again(tmp_path: Path, categorical: str) -> None:
    now = preview_of(tmp_path, penguins.raw(), **CHOICE, categorical=categorical)
    later = looked_at(tmp_path, penguins.raw(), **CHOICE, categorical=categorical)
    unknown = [column.model_copy(update={"missing": None}) for column in now.columns]
    assert later == now.model_copy(update={"columns": unknown})
