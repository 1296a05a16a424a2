"""What a job's calls answer, as arrays and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def histories(losses: Mapping[str, Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return, of each model, the histories of its fit by name, those of the regularisers as ``regularisation.K``."""
    return {model["model"]: dict(_histories(model)) for model in losses["models"]}


def _histories(part: Mapping[str, Any], before: str = "") -> list[tuple[str, NDArray[np.float64]]]:
    found: list[tuple[str, NDArray[np.float64]]] = []
    for name, value in part.items():
        if isinstance(value, list):
            found.append((before + name, np.array([np.nan if entry is None else float(entry) for entry in value])))
        elif name == "regularisation" and isinstance(value, dict):
            found += _histories(value, f"{before}{name}.")
    return found


def keep(content: bytes, path: str | Path | None, default: str) -> Path:
    """Write a file, into the folder where `path` is one, and return where it is."""
    place = Path(default if path is None else path)
    if place.is_dir():
        place /= default
    place.write_bytes(content)
    return place
