"""The tables and the plot of ``benchmarks/README.md``, made from the JSON files of the last whole runs.

Run from the project's root:  .venv/bin/python -m benchmarks.speed.figures

The section headed as `HEADING` is written whole; nothing in it is typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks.speed.measure import PRINTED, RESULTS, ROOT, read
from benchmarks.speed.plot import OURS, svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEADING: Final = "## Speed, against what users would pick instead"
PLOT: Final = RESULTS / "training.svg"
README: Final = ROOT / "benchmarks" / "README.md"
_STARTS: Final = {"usual": "PyTorch's", "smooth": "ours, prolonged"}


def write_figures() -> None:
    """Write the plot and the section."""
    training = read("training")
    if training is not None:
        PLOT.write_bytes(svg(training))
    README.write_text(with_section(README.read_text(), section()))


def with_section(page: str, body: str) -> str:
    """Return a page with the section's body in place of what was there."""
    before, _, rest = page.partition(f"{HEADING}\n")
    _, following, after = rest.partition("\n## ")
    return f"{before}{HEADING}\n\n{body}\n" + following + after


def section() -> str:
    """Return the section's body: a part for each benchmark that was run."""
    parts = {
        "training": _training,
        "gradient": _gradient,
        "continuum": _continuum,
        "equivalents": _equivalents,
    }
    found = [part(result) for name, part in parts.items() if (result := read(name)) is not None]
    printed = [_said(result) for name in PRINTED if (result := read(name)) is not None]
    return "\n\n".join([*found, _gpu(read("gpu")), *printed])


def _head(title: str, result: dict[str, Any], text: str) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in machine if name not in {"processor", "cores"})
    quick = " in a quick run, of small sizes and limits" if result["quick"] else ""
    taken = f"Taken {result['taken']}{quick}: {machine['processor']}, {machine['cores']} cores; {versions}."
    return f"### {title}\n\n{text}\n{taken}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def short(value: float) -> str:
    """Return a number of three digits, without an exponent where it is not tiny."""
    if value and abs(value) < 1e-4:  # noqa: PLR2004 - where digits become zeros
        return f"{value:.0e}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3  # noqa: PLR2004 - digits that are shown
    return f"{value:,.{digits}f}"


def _time(row: dict[str, Any], key: str, arrived: str) -> str:
    return f"{'' if row[arrived] else '> '}{short(row[key])}"


def _training(result: dict[str, Any]) -> str:
    limit = result["limit_s"]
    text = (
        "Two moons (S = 200, d = 4, every α = 1e-3): CPU seconds on one thread until E_n − min ≤ 1e-6. Ours is the\n"
        "whole study of depths 8, 16, …, n from one start until then. The others train n layers of the same E_n from\n"
        "what PyTorch initialises layers with, or from our start prolonged to n layers, which is smooth already. The\n"
        "first time is to the study's minimum, the second to the minimum that the rival itself ends at. What never\n"
        f"arrives counts {limit:g} s; Adam has the best of five constant learning rates, and the others do not count."
    )
    order = sorted(result["rows"], key=lambda row: (row["depth"], row["who"] != OURS, row.get("start", ""), row["who"]))
    lines = [
        [f"{row['depth']}", f"**{row['who']}**", "", short(row["seconds"]), "1", "", "", f"{row['minimum']:.6f}"]
        if row["who"] == OURS
        else [
            f"{row['depth']}",
            row["who"] + (f" (rate {row['learning_rate']:g})" if "learning_rate" in row else ""),
            _STARTS[row["start"]],
            _time(row, "seconds", "arrived"),
            short(row["ratio"]),
            _time(row, "own_seconds", "arrived_at_own"),
            short(row["own_ratio"]),
            f"{row['own_minimum']:.6f}",
        ]
        for row in order
    ]
    head = ("n", "", "start", "s to the minimum", "times ours", "s to its own", "times ours", "its minimum")
    picture = f"![Time to the minimum against depth](results/{PLOT.name})\n\n"
    return _head("Time to a minimum", result, text) + "\n" + picture + table(head, lines)


def _gradient(result: dict[str, Any]) -> str:
    text = (
        "One evaluation of E_n with its gradient, one thread. *Autograd* is a module whose layers share two\n"
        "parameters, *nn.Linear* one with a module for each layer; *of the bound* is our time over that of the\n"
        "products and tanh alone."
    )
    lines = [
        [
            f"{row['data']}, S = {row['samples']}, d = {row['d']}, n = {row['depth']}",
            f"{short(row['ours_ms'])} ms",
            short(row["autograd"]),
            short(row["autograd_linear_layers"]),
            short(row["of_bound"]),
            short(row["product_autograd"]) if "product_autograd" in row else "",
            f"{row['agree']:.0e}",
        ]
        for row in result["rows"]
        if "ours_ms" in row
    ]
    head = (
        "",
        "ours",
        "autograd / ours",
        "nn.Linear / ours",
        "of the bound",
        "Hessian product, autograd / ours",
        "agree to",
    )
    layers = [row for row in result["rows"] if "layer_us" in row]
    costs = ", ".join(f"{row['layer_us']:.1f} at {row['depth']}" for row in layers)
    linear = f"\n\nMicroseconds of one layer on two moons (d = 4), by depth: {costs}."
    return _head("One gradient", result, text) + "\n" + table(head, lines) + linear


def _continuum(result: dict[str, Any]) -> str:
    text = (
        f"E_∞ of two moons, polynomials of degree {result['degree']}, {result['steps']} steps; all train the same\n"
        "coordinates from the same start. Errors are of the gradient, relative to one of 2,048 steps."
    )
    rows = result["rows"]
    gradients = [
        [row["who"], f"{short(row['ms'])} ms", short(row["ratio"]), f"{row['error']:.0e}"]
        for row in rows
        if row["what"] == "gradient"
    ]
    trainings = [
        [row["who"], short(row["seconds"]), "1", ""]
        if row["who"] == OURS
        else [
            row["who"],
            _time(row, "own_seconds", "arrived_at_own"),
            short(row["own_ratio"]),
            f"{row['own_minimum']:.6f}",
        ]
        for row in rows
        if row["what"] == "training"
    ]
    one = table(("one gradient", "time", "times ours", "error"), gradients)
    other = table(("training to E − min ≤ 1e-6", "s", "times ours", "its minimum"), trainings)
    return _head("The continuum, against torchdiffeq", result, text) + f"\n{one}\n\n{other}"


def _equivalents(result: dict[str, Any]) -> str:
    text = (
        "The work of whole studies with one start and one α for all, in gradients of the finest depth; a Hessian\n"
        "product is two. *All* also counts certificates and what was given up, *continuum* what E_∞ took, a layer\n"
        "for each stage."
    )
    lines = [
        [
            f"{row['data']}, {row['depths'][0]} … {row['depths'][-1]}",
            f"{row['tolerance']:.0e}",
            f"{row['alpha']:g}",
            f"{row['seed']}",
            ", ".join(map(str, row["evaluations"])),
            ", ".join(map(str, row["products"])),
            short(row["equivalents"]),
            short(row["all_equivalents"]),
            f"{row['continuum_evaluations']} + {row['continuum_products']}",
            short(row["all_continuum_equivalents"]),
        ]
        for row in result["rows"]
    ]
    head = (
        *(
            "study, depths",
            "tolerance",
            "α",
            "seed",
            "evaluations",
            "products",
            "equivalents",
            "all",
            "continuum: evaluations + products",
        ),
        "all of the continuum",
    )
    return _head("Whole studies", result, text) + "\n" + table(head, lines)


def _gpu(result: dict[str, Any] | None) -> str:
    if result is None:
        return (
            "### On a GPU\n\nNo GPU was at hand when these figures were taken. `python -m benchmarks.gpu` takes those\n"
            "of one gradient at S = 2000, d = 64, n = 1024 in float64 and float32, and refuses where there is no GPU."
        )
    lines = [
        [
            row["precision"],
            f"{short(row['ours_ms'])} ms",
            short(row["share_of_bound"]),
            short(row["autograd"]),
            f"{row['objective_error']:.0e}",
            f"{row['gradient_error']:.0e}",
        ]
        for row in result["rows"]
    ]
    head = (
        "precision",
        "ours",
        "share of the bound",
        "autograd / ours",
        "E, from the CPU's",
        "gradient, from the CPU's",
    )
    return _head("On a GPU", result, f"{result['card']}: S = 2000, d = 64, n = 1024.") + "\n" + table(head, lines)


def _said(result: dict[str, Any]) -> str:
    name = result["benchmark"]
    lines = "\n".join(f"* {row['said']}" for row in result["rows"])
    return (
        _head(name.replace(".", ", ").capitalize(), result, f"What `python -m benchmarks.{name}` said.") + f"\n{lines}"
    )


if __name__ == "__main__":
    write_figures()
