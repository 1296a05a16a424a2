"""Who is kept out of the data directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.runtime.data_directory import keep_others_out

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("holds", "mode"),
    [([], 0o700), (["valkey", "notes.txt"], 0o700), (["notes.txt"], 0o755)],
    ids=["new", "own", "of-others"],
)
def test_a_data_directory_is_closed_unless_it_holds_what_is_not_the_services(
    tmp_path: Path, holds: list[str], mode: int
) -> None:
    tmp_path.chmod(0o755)
    for name in holds:
        (tmp_path / name).mkdir()
    keep_others_out(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == mode
