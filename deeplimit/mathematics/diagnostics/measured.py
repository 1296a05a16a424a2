"""The first stage of the diagnostics: what is measured of a study, each part by a module of `measure`.

A new diagnostic is a module there and a field here, which says how it is measured and what it needs. The class of the
depth sequence, the advice and the statements are made of these numbers in later stages. Annotations here are objects,
not text, because `measure` reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Annotated, Any, Final, TypeVar, get_origin, get_type_hints

from deeplimit.mathematics.diagnostics.measure.assumptions import Assumption, check_assumptions
from deeplimit.mathematics.diagnostics.measure.bracket import ExcessRow, lift_excess, recovery_excess
from deeplimit.mathematics.diagnostics.measure.compactness import CompactnessRow, compactness_rows
from deeplimit.mathematics.diagnostics.measure.euler_lagrange import EulerLagrange, euler_lagrange_rows
from deeplimit.mathematics.diagnostics.measure.independent_check import IndependentCheck, check_independently
from deeplimit.mathematics.diagnostics.measure.minima import Minima, measure_minima
from deeplimit.mathematics.diagnostics.measure.minimisers import (
    ConsecutiveRow,
    MinimisersRow,
    against_continuum,
    between_consecutive,
)
from deeplimit.mathematics.diagnostics.measure.performance import Performance, measure_performance
from deeplimit.mathematics.diagnostics.measure.regularity import RegularityRow, regularity_rows
from deeplimit.mathematics.diagnostics.measure.states import SupErrorRow, prediction_errors, state_errors
from deeplimit.mathematics.diagnostics.subject import Subject
from deeplimit.mathematics.study.branch_certificates import Certificates
from deeplimit.mathematics.study.progress import begin_part
from deeplimit.mathematics.watch import OutOfTimeError

OUT_OF_TIME: Final = "the time limit was reached before it was measured; raise limits.wall_time_s"
"""Why a part is withheld that was not reached, or was broken off."""


class Needs(Flag):
    """What a study has to have for a diagnostic to apply."""

    NOTHING = 0
    DEPTHS = auto()
    CONTINUUM = auto()

    def met_by(self, subject: Subject) -> bool:
        """Whether the study has it."""
        depths = Needs.DEPTHS not in self or bool(subject.points)
        return depths and (Needs.CONTINUUM not in self or subject.continuum is not None)


@dataclass(frozen=True)
class MeasuredBy:
    """How a part is measured, from the subject and the parts before it; it is None where what it needs is missing.

    Attributes
    ----------
    free
        Whether it takes no time, so that it is there after every deadline.
    """

    measure: Callable[[Subject, Mapping[str, Any]], object]
    needs: Needs = Needs.NOTHING
    free: bool = False


_LIMIT: Final = Needs.DEPTHS | Needs.CONTINUUM


@dataclass(frozen=True, kw_only=True)
class MeasuredStudy:
    """What was measured. Parts that need a continuum are None without one; those by depth are empty without depths.

    Attributes
    ----------
    withheld
        The parts that there was no time for, which are None or empty, with the reason.
    """

    data: Annotated[str, MeasuredBy(lambda subject, _: subject.data, free=True)]
    assumptions: Annotated[
        list[Assumption], MeasuredBy(lambda subject, _: check_assumptions(subject.problem), free=True)
    ]
    certificates: Annotated[Certificates, MeasuredBy(lambda subject, _: subject.certificates, free=True)]
    performance: Annotated[Performance | None, MeasuredBy(lambda subject, _: measure_performance(subject))]
    minima: Annotated[Minima | None, MeasuredBy(lambda subject, _: measure_minima(subject), Needs.DEPTHS)]
    minimisers: Annotated[list[MinimisersRow] | None, MeasuredBy(lambda subject, _: against_continuum(subject), _LIMIT)]
    consecutive: Annotated[list[ConsecutiveRow], MeasuredBy(lambda subject, _: between_consecutive(subject))]
    states: Annotated[
        list[SupErrorRow] | None,
        MeasuredBy(lambda subject, _: state_errors(subject), _LIMIT),
    ]
    predictions: Annotated[
        list[SupErrorRow] | None,
        MeasuredBy(lambda subject, _: prediction_errors(subject), _LIMIT),
    ]
    recovery: Annotated[list[ExcessRow] | None, MeasuredBy(lambda subject, _: recovery_excess(subject), _LIMIT)]
    lift: Annotated[list[ExcessRow] | None, MeasuredBy(lambda subject, _: lift_excess(subject), _LIMIT)]
    regularity: Annotated[list[RegularityRow], MeasuredBy(lambda subject, _: regularity_rows(subject))]
    compactness: Annotated[list[CompactnessRow], MeasuredBy(lambda subject, _: compactness_rows(subject))]
    euler_lagrange: Annotated[
        EulerLagrange | None,
        MeasuredBy(lambda subject, _: euler_lagrange_rows(subject), Needs.CONTINUUM),
    ]
    independent_check: Annotated[
        IndependentCheck | None, MeasuredBy(lambda subject, _: check_independently(subject), Needs.CONTINUUM)
    ]
    withheld: dict[str, str] = field(default_factory=dict)


Measured = TypeVar("Measured", bound=MeasuredStudy)


def measure(subject: Subject, kind: type[Measured]) -> Measured:
    """Measure every part that ``kind`` declares, in its order, as far as the watches allow.

    The subject's checkpoint is called before each.
    """
    parts: dict[str, Any] = {}
    withheld: dict[str, str] = {}
    for name, declared in get_type_hints(kind, include_extras=True).items():
        if get_origin(declared) is not Annotated:
            continue
        (by,) = declared.__metadata__
        try:
            begin_part(subject.checkpoint, name)
            parts[name] = by.measure(subject, parts) if by.needs.met_by(subject) else None
        except OutOfTimeError:
            if by.free:
                parts[name] = by.measure(subject, parts)
                continue
            parts[name] = [] if get_origin(declared.__origin__) is list else None
            withheld[name] = OUT_OF_TIME
    return kind(**parts, withheld=withheld)
