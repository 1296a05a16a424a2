"""Which model is exported where none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.contract.model_name import CONTINUUM, DISCRETE
from service.report.texts import at

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.report.parts import Json


def chosen_model(results: Json, models: Collection[str]) -> str:
    """Return the network of the depth that the verdict answers with, if it was trained, or else the deepest one.

    Parameters
    ----------
    results
        Of a train job.
    models
        Those that have fitted parameters; the continuum where there is nothing else.
    """
    advised = f"{DISCRETE}-{at(results, 'diagnostics', 'verdict', 'answer', 'depth')}"
    if advised in models:
        return advised
    depths = [int(name.rpartition("-")[2]) for name in models if name.startswith(DISCRETE)]
    return f"{DISCRETE}-{max(depths)}" if depths else CONTINUUM
