"""Progress is thinned out on its way, and the last word is not lost."""

import itertools

from service.contract.job import Progress
from worker.reporting import LINE_INTERVAL_S, STORE_INTERVAL_S, LatestProgress, ThinnedReport


def progress(fraction: float, model: str = "discrete-8") -> Progress:
    return Progress(phase="discrete", model=model, fraction=fraction)


def test_a_quick_loop_writes_few_lines() -> None:
    sent: list[Progress] = []
    clock = itertools.count(0, LINE_INTERVAL_S / 10)
    report = ThinnedReport(sent.append, lambda: next(clock))
    for step in range(1, 101):
        report(progress(step / 100))
    assert 9 <= len(sent) <= 11
    assert sent[0].fraction == 0.01


def test_a_fraction_never_falls_and_a_new_model_is_told_at_once() -> None:
    sent: list[Progress] = []
    report = ThinnedReport(sent.append, lambda: 0.0)
    report(progress(0.5))
    report(progress(0.6))
    report(progress(0.4, "discrete-16"))
    assert [(p.model, p.fraction) for p in sent] == [("discrete-8", 0.5), ("discrete-16", 0.5)]


def test_the_store_gets_what_is_newest_when_it_takes_more() -> None:
    latest = LatestProgress()
    assert latest.due == float("inf")
    latest.put(progress(0.1))
    assert latest.take(0.0) == progress(0.1)
    latest.put(progress(0.2))
    latest.put(progress(0.3))
    assert latest.take(0.1) is None
    assert latest.due == STORE_INTERVAL_S
    assert latest.take(STORE_INTERVAL_S) == progress(0.3)
    assert latest.take(10.0) is None
