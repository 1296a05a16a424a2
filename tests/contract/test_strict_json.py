"""The one place where texts without an encoding are refused, whatever field they stand in."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.contract.values.errors import SpecInvalidError
from service.contract.values.strict_json import decode

SURROGATES = st.characters(categories=["Cs"])
TEXT = st.text() | st.builds("".join, st.tuples(st.text(), SURROGATES, st.text()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from texts(entry)


def at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def has_encoding(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine pauses in the middle of a draw
@given(JSON, st.sampled_from([str.lower, str.upper]))
def test_a_lone_surrogate_is_pointed_at_wherever_it_stands(value: Any, case: Any) -> None:
    body = json.dumps(value)
    body = "\\u".join([part if k == 0 else case(part[:4]) + part[4:] for k, part in enumerate(body.split("\\u"))])
    sent = json.loads(body)  # two that make a pair are one character now
    if all(map(has_encoding, texts(sent))):
        assert decode(body.encode()) == sent
        return
    with pytest.raises(SpecInvalidError) as refused:
        decode(body.encode())
    for error in refused.value.errors:
        assert error.code == "lone_surrogate"
        place = at(sent, error.pointer)
        assert not all(map(has_encoding, [place] if isinstance(place, str) else place))
