"""Trained models that all tests of exports share, each trained once in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.artifacts import ArtifactStore
from tests.export.cases import parts_of
from tests.support.taken_away.exported import Exported

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Studies(dict[str, Exported]):
    """Each case by its name, trained when it is first asked for."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self._place = place

    def __missing__(self, case: str) -> Exported:
        store = ArtifactStore(self._place / str(len(self)))
        self[case] = Exported.train(store, **parts_of(case))
        return self[case]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Exported]:
    return Studies(tmp_path_factory.mktemp("exported"))
