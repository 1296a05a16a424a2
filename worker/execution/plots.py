"""The plots of a trained study: numbers by `plot_data`, drawn by the drawing process, written as objects of the job.

No plot fails a job: one that cannot be drawn is withheld, with the reason.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from deeplimit.mathematics.watch import OutOfTimeError, until
from service.contract.names import PLOTS, plot_key
from service.contract.plots.index import PlotName, PlotsFile, StoredPlot
from service.contract.results import to_json
from service.contract.train.data_names import DataNames
from service.contract.values.media_types import JSON, SVG, VEGA_LITE
from worker.execution.plot_data.study import PlottedStudy, Withheld
from worker.executor import Stopped
from worker.plots.process import NOT_INSTALLED, DrawingFailedError, DrawingProcess, installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from deeplimit.mathematics import TrainedStudy
    from service.contract.job import ArtifactRef
    from service.contract.train.resolved import ResolvedTrainSpec
    from worker.execution.problems import PreparedProblem
    from worker.executor import JobInput

LOG = logging.getLogger(__name__)

SWITCHED_OFF: Final = "plots were switched off by the specification"
OUT_OF_TIME: Final = "the time limit of the job was reached"
FAILED: Final = "its numbers could not be computed; the worker's log has the details"

Form = tuple[str, str, bytes]
"""Form, media type, content."""


@cache
def drawing_process() -> DrawingProcess:
    """Return the one drawing process of a trainer, which lives as long as that."""
    process = DrawingProcess()
    atexit.register(process.stop)
    return process


def prepare_to_draw(spec: ResolvedTrainSpec) -> None:
    """Start what plots are drawn with, so that it loads while the job trains."""
    if spec.plots and installed():
        drawing_process().start()


class StudyPlots:
    """Draws every plot of one job.

    Parameters
    ----------
    tick
        Called before each plot with its number and how many there are; raises ``Stopped``.
    check
        Called while a plot is drawn; raises ``Stopped``.
    deadline
        In seconds of ``time.monotonic``: plots that are not drawn by then are withheld.
    """

    def __init__(
        self,
        job: JobInput,
        spec: ResolvedTrainSpec,
        *,
        tick: Callable[[int, int], None],
        check: Callable[[], None],
        deadline: float,
    ) -> None:
        self._job, self._spec = job, spec
        self._tick, self._check, self._deadline = tick, check, deadline

    def write(self, trained: TrainedStudy, prepared: PreparedProblem) -> dict[str, ArtifactRef]:
        """Draw and write the plots that apply, and the list of them.

        Raises
        ------
        Stopped
            The job is to stop.
        """
        names = DataNames.of(self._spec)
        study = PlottedStudy(
            trained,
            prepared,
            self._spec.training.gradient_tolerance,
            class_names=names.classes,
            input_names=names.inputs,
            checkpoint=self._in_time,
        )
        artifacts: dict[str, ArtifactRef] = {}
        plots: list[StoredPlot] = []
        withheld: dict[str, str] = {}
        reason = self._none()
        for place, name in enumerate(PlotName):
            if reason is not None:
                withheld[name] = reason
                continue
            self._tick(place, len(PlotName))
            try:
                plot, forms = self._drawn(name, study)
            except (Withheld, DrawingFailedError) as why:
                withheld[name] = str(why)
                continue
            for form, media_type, content in forms:
                key = plot_key(name, form)
                artifacts[key] = self._job.write(key, content, media_type)
            plots.append(plot)
        artifacts[PLOTS] = self._job.write(PLOTS, to_json(PlotsFile(plots=plots, withheld=withheld)), JSON)
        return artifacts

    def _none(self) -> str | None:
        """Return why there are no plots at all."""
        if not self._spec.plots:
            return SWITCHED_OFF
        return None if installed() else NOT_INSTALLED

    def _in_time(self) -> None:
        """Look whether the job is to stop, and withhold a plot that the job's time limit is reached in."""
        self._check()
        if time.monotonic() > self._deadline:
            raise Withheld(OUT_OF_TIME)

    def _drawn(self, name: PlotName, study: PlottedStudy) -> tuple[StoredPlot, list[Form]]:
        self._in_time()
        try:
            with until(self._deadline):
                numbers = numbers_of(name, study).model_dump_json()
        except OutOfTimeError as late:
            raise Withheld(OUT_OF_TIME) from late
        except (Withheld, Stopped):
            raise
        except Exception as error:
            LOG.exception("job %s: the numbers of the plot %s", self._job.job_id, name)
            raise Withheld(FAILED) from error
        answer = drawing_process().draw(name, numbers, self._in_time)
        if answer.plot is None:
            raise TypeError("an answer without failure has a plot")
        forms = [("svg", SVG, answer.svg), ("data", JSON, numbers), ("vega", VEGA_LITE, answer.vega_lite)]
        return answer.plot, [(form, media_type, content.encode()) for form, media_type, content in forms]


def numbers_of(name: PlotName, study: PlottedStudy) -> BaseModel:
    """Return what one plot is drawn from; its module is imported now, and with it what only it needs.

    Raises
    ------
    Withheld
        The plot does not apply to this study.
    """
    try:
        module = importlib.import_module(f"worker.execution.plot_data.{name}")
    except ModuleNotFoundError as missing:
        raise Withheld(f"{missing.name}, which it takes, is not installed where the job ran") from missing
    numbers: BaseModel = getattr(module, name)(study)
    return numbers
