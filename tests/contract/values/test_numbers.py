"""What counts as a number, an integer and a text; and arrays of numbers."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from service.contract.values.arrays import ArrayOf, Table
from service.contract.values.numbers import Real, TextOf, Whole

NUMBER: TypeAdapter[float] = TypeAdapter(Annotated[float, Real()])
INTEGER: TypeAdapter[int] = TypeAdapter(Annotated[int, Whole()])


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_numbers(value: float) -> None:
    read = NUMBER.validate_python(value)
    assert isinstance(read, float)
    assert read == float(value)


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_are_integers_however_they_are_written(value: int) -> None:
    for written in (value, float(value)):
        read = INTEGER.validate_python(written)
        assert type(read) is int
        assert read == value


@given(st.floats().filter(lambda value: not value.is_integer()))
def test_others_are_not(value: float) -> None:
    with pytest.raises(ValidationError):
        INTEGER.validate_python(value)


@pytest.mark.parametrize("value", [True, False, "8", None, [], {}, math.nan, math.inf, -math.inf, 1j])
def test_neither(value: object) -> None:
    for adapter in (NUMBER, INTEGER):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_an_integer_past_every_double_is_no_number() -> None:
    with pytest.raises(ValidationError, match="finite"):
        NUMBER.validate_python(10**400)
    assert INTEGER.validate_python(10**400) == 10**400


@given(st.text())
def test_texts(value: str) -> None:
    assert TextOf(max_length=len(value)).parse(value) == value


FINITE = st.floats(-1e100, 1e100) | st.integers(-(10**18), 10**18)


@given(st.integers(1, 5).flatmap(lambda f: st.lists(st.lists(FINITE, min_size=f, max_size=f), min_size=1)))
def test_tables_keep_every_number(rows: list[list[float]]) -> None:
    table = ArrayOf((1, 2), rows="samples", columns="features").parse(rows)
    assert isinstance(table, Table)
    assert table.shape == (len(rows), len(rows[0]))
    assert table.rows() == [[float(entry) for entry in row] for row in rows]


BAD: st.SearchStrategy[Any] = st.sampled_from([None, True, "1", math.nan, math.inf, -math.inf, 10**400, 1e101, [], {}])


@given(st.data())
def test_the_bad_entries_are_pointed_at(data: st.DataObject) -> None:
    count, features = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 4))
    rows: list[list[Any]] = [[float(row + column) for column in range(features)] for row in range(count)]
    places = st.tuples(st.integers(0, count - 1), st.integers(0, features - 1))
    spoilt = data.draw(st.sets(places, min_size=1, max_size=5))
    for row, column in spoilt:
        rows[row][column] = data.draw(BAD)
    with pytest.raises(PydanticCustomError) as caught:
        ArrayOf((2,), rows="samples", columns="features").parse(rows)
    context = caught.value.context
    assert context is not None
    assert {error.pointer for error in context["errors"]} == {f"/{row}/{column}" for row, column in spoilt}


def test_infinities_of_both_signs_do_not_cancel() -> None:
    with pytest.raises(PydanticCustomError):
        ArrayOf((1,), rows="samples").parse([math.inf, -math.inf])
