"""Estimated errors of a number, by what causes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Errors:
    """Estimated errors of one number, absolute, in its own unit."""

    optimisation: float = 0.0
    integration: float = 0.0
    discretisation: float = 0.0

    @property
    def total(self) -> float:
        """Their sum."""
        return self.optimisation + self.integration + self.discretisation

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.optimisation + other.optimisation,
            self.integration + other.integration,
            self.discretisation + other.discretisation,
        )

    def scaled(self, factor: float) -> Errors:
        """Return the errors of a number that is ``factor`` times this one."""
        return Errors(factor * self.optimisation, factor * self.integration, factor * self.discretisation)
