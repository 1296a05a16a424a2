"""What a notebook and a prompt show of a trained study."""

from __future__ import annotations

from deeplimit.mathematics import ContinuumOptions, Problem, Training, train


def test_a_study_is_shown_in_a_line_and_in_a_table() -> None:
    problem = Problem([[1.0], [-1.0]], [[2.0], [-2.0]])
    trained = train(problem, (2, 4), ContinuumOptions(tolerance=1e-6), Training(starts=1))
    verdict = trained.diagnostics.verdict.summary
    assert repr(trained) == f"<TrainedStudy, depths 2, 4: {verdict}>"
    table = trained._repr_html_()
    minima = trained.diagnostics.minima
    assert minima is not None
    assert minima.continuum is not None
    assert table.startswith(f"<p>{verdict}</p><table><tr><td>n</td>")
    assert f"<tr><td>4</td><td>{minima.depths[1].objective:.6g}</td><td>{minima.depths[1].gap:.6g}</td>" in table
    assert f"<tr><td>∞</td><td>{minima.continuum:.6g}</td><td></td>" in table
    alone = train(problem, (), ContinuumOptions(tolerance=1e-6), Training(starts=1))
    assert repr(alone).startswith("<TrainedStudy, depths none: ")
    assert "<td>2</td>" not in alone._repr_html_()
