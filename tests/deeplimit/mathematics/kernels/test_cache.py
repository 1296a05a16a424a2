"""Where the fused kernel's machine code is kept."""

from pathlib import Path

import pytest

pytest.importorskip("numba", reason="the folder is named by its version")

from deeplimit.mathematics.kernels.fused import cache


def test_every_place_of_the_sources_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba keeps the code of each place apart, so the marker of one must not speak for another."""
    found = {cache.folder.__wrapped__()}
    for name in ("one", "other"):
        place = tmp_path / name
        place.mkdir()
        (place / "loops.py").write_text("pass")
        monkeypatch.setattr(cache, "_SOURCES", place)
        found.add(cache.folder.__wrapped__())
    assert len(found) == 3
