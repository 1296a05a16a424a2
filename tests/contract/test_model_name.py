"""Names of models, taken apart and put together again."""

from __future__ import annotations

import pytest

from service.contract.model_name import ModelName


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("discrete-64", ModelName("discrete", 64)),
        ("sampled-8", ModelName("sampled", 8)),
        ("continuum", ModelName("continuum")),
    ],
)
def test_a_name_goes_there_and_back(text: str, name: ModelName) -> None:
    assert ModelName.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text", ["", "discrete", "discrete-", "discrete-08", "discrete--8", "continuum-8", "Discrete-8", "discrete-8 "]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the name of a model"):
        ModelName.parse(text)
