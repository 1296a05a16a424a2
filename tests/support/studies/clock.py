"""A clock that evaluations move, so that a limit of time is a number of evaluations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from deeplimit.mathematics.model.batched_objective import BatchedObjective
from deeplimit.mathematics.model.objective import DiscretisedObjective, Linearisation
from deeplimit.mathematics.watch import look

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Clock:
    """A clock that goes on by a second with every evaluation, product and forward map.

    ``within`` is how far it goes on within each as well, between two looks at the watches.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, within: float = 0.0) -> None:
        self.now, self.within = 0.0, within
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        for owner, name in (
            (DiscretisedObjective, "evaluate"),
            (DiscretisedObjective, "value"),
            (DiscretisedObjective, "sweep"),
            (DiscretisedObjective, "output"),
            (Linearisation, "hessian_product"),
            (BatchedObjective, "evaluate"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: object) -> Any:
            if self.within:
                look()
                self.now += self.within
                look()
            found = method(*arguments)
            self.now += 1.0
            return found

        return counted
