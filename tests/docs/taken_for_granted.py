"""Files that a page's reader has: tables of flowers, weights trained elsewhere, and the repository's examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy
from sklearn.datasets import load_iris

from tests.support.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def write_files(place: Path) -> None:
    """Write them into the folder that the reader works in."""
    (place / "examples").symlink_to(ROOT / "examples")
    (place / "openapi").symlink_to(ROOT / "openapi")
    flowers = load_iris()
    inputs, labels = flowers.data[::5], flowers.target[::5]
    rows = [
        f"{','.join(map(str, row))},{flowers.target_names[label]}" for row, label in zip(inputs, labels, strict=True)
    ]
    header = "sepal_length,sepal_width,petal_length,petal_width,species"
    (place / "flowers.csv").write_text("\n".join([header, *rows]) + "\n")
    np.savez(place / "flowers.npz", X=inputs, y=labels)
    for depth in (16, 32, 64):
        t = np.arange(depth) / depth
        K, b = np.sin(t).reshape(-1, 1, 1) * np.ones((2, 2)), np.cos(t).reshape(-1, 1) * np.ones(2)
        np.savez(place / f"net-{depth}.npz", K=K, b=b)
        safetensors.numpy.save_file({"K": K, "b": b}, place / f"net-{depth}.safetensors")
