"""Names of models: ``discrete-64`` is the network of depth 64, ``sampled-256`` the continuum sampled at 256 nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CONTINUUM: Final = "continuum"
DISCRETE: Final = "discrete"
SAMPLED: Final = "sampled"
_NAME: Final = re.compile(rf"({DISCRETE}|{SAMPLED})-([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's name, taken apart; ``str`` puts it together. The depth is None for the continuum alone."""

    kind: str
    depth: int | None = None

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Take a name apart.

        Raises
        ------
        ValueError
            No model goes by such a name.
        """
        if text == CONTINUUM:
            return cls(CONTINUUM)
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError("this is not the name of a model")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return self.kind if self.depth is None else f"{self.kind}-{self.depth}"
