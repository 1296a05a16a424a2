"""Draws the pictures of the pages from real studies: ``python docs/pictures/draw.py [NAME]...`` with a service running.

The specifications are those of examples/. The service is DEEPLIMIT_URL or http://127.0.0.1:8000.
"""

from __future__ import annotations

import json
import os
import re
import sys
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import httpx
import vl_convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
INK, BLUE, ORANGE, GREY = "#24292f", "#0969da", "#bc4c00", "#8c959f"
GOOD = "verdicts/converges"
"""What the others are shown beside."""

Json = dict[str, Any]
Picture = alt.HConcatChart


class Studies:
    """Results by the name of their specification; each is run once."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._jobs: dict[str, str] = {}

    def get(self, name: str, part: str = "", *, depths: list[int] | None = None) -> Json:
        """Return the results, or a part of them such as ``/losses``; of other depths than it says, perhaps."""
        key = f"{name} {depths}"
        if key not in self._jobs:
            spec = json.loads((EXAMPLES / f"{name}.json").read_text())
            self._jobs[key] = self._run(spec if depths is None else spec | {"discrete": {"depths": depths}})
        return self._read(f"/v1/jobs/{self._jobs[key]}/results{part}")

    def states(self, name: str, model: str) -> list[list[list[float]]]:
        """Return the trajectories of one of its models: (layers, samples, entries)."""
        asked = {"job_id": self.get(name)["job_id"], "models": [model], "outputs": ["states"]}
        job = self._run({"kind": "evaluate", **asked})
        found: list[list[list[float]]] = self._read(f"/v1/jobs/{job}/results/states?model={model}")["states"]
        return found

    def _run(self, spec: Json) -> str:
        job = self._client.post("/v1/jobs", json=spec).raise_for_status().json()
        while not job["done"]:
            job = self._client.get(job["links"]["self"], headers={"Prefer": "wait=30"}).raise_for_status().json()
        if job["status"] != "succeeded":
            sys.exit(f"{spec.get('name')}: {job['error']}")
        return str(job["id"])

    def _read(self, path: str) -> Json:
        found: Json = self._client.get(path).raise_for_status().json()
        return found


# Parts of a picture ------------------------------------------------------------------------------------------------


def data(rows: Iterable[Json]) -> alt.Data:
    return alt.Data(values=list(rows))


def panel(title: str, *layers: alt.Chart) -> alt.LayerChart:
    return alt.layer(*layers).properties(width=300, height=200, title=title)


def curve(rows: list[Json], x: Any, y: Any, colour: str, *, filled: bool = True) -> alt.LayerChart:
    """Points that a thin line joins."""
    chart = alt.Chart(data(rows)).encode(x=x, y=y)
    marks = chart.mark_point(color=colour, size=60, fill=colour if filled else "white", opacity=1)
    return chart.mark_line(color=colour, strokeWidth=1.5) + marks


def line(rows: list[Json], x: Any, y: Any, colour: str) -> alt.Chart:
    return alt.Chart(data(rows)).mark_line(color=colour, strokeWidth=1.5).encode(x=x, y=y)


def dashed(rows: list[Json], x: Any, y: Any) -> alt.Chart:
    return alt.Chart(data(rows)).mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)


def label(text: str, at: Json, x: Any, y: Any, colour: str, *, align: str = "left", up: float = 8) -> alt.Chart:
    shift = 6 if align == "left" else -6
    return alt.Chart(data([at])).mark_text(text=text, color=colour, align=align, dx=shift, dy=-up).encode(x=x, y=y)


def depth(**scale: Any) -> alt.X:
    axis = alt.Axis(values=[2**k for k in range(2, 10)], format="d", grid=False)
    return alt.X("x:Q", title="depth n", scale=alt.Scale(type="log", base=2, **scale), axis=axis)


def along(title: str, **scale: Any) -> alt.X:
    return alt.X("x:Q", title=title, scale=alt.Scale(**scale), axis=alt.Axis(tickCount=5, grid=False))


def logarithm(title: str, **scale: Any) -> alt.Y:
    low, high = scale.get("domain", (1e-9, 1e4))
    shown = "datum.value < 0.001 ? format(datum.value, '.0e') : format(datum.value, '~g')"
    axis = alt.Axis(labelExpr=shown, values=[10.0**k for k in range(-9, 4) if low <= 10.0**k <= high])
    return alt.Y("y:Q", title=title, scale=alt.Scale(type="log", **scale), axis=axis)


def number(title: str, **scale: Any) -> alt.Y:
    return alt.Y("y:Q", title=title, scale=alt.Scale(**scale), axis=alt.Axis(format="~g", tickCount=5))


def parallel(rows: list[Json], above: float) -> list[Json]:
    """A line of slope −1 above the last of some points."""
    last = rows[-1]
    return [{"x": row["x"], "y": above * last["y"] * last["x"] / row["x"]} for row in rows]


def towards(minima: Json, title: str) -> alt.LayerChart:
    """The slope at each depth over 1/n, and what the continuum predicts at 0."""
    rows = [{"x": 1 / row["depth"], "y": row["slope"]} for row in minima["depths"] if row["slope"] is not None]
    predicted = {"x": 0.0, "y": minima["predicted_slope"]}
    x, y = along("1/n", domain=[0, rows[0]["x"]]), number("n · gap", zero=False)
    diamond = alt.Chart(data([predicted])).mark_point(shape="diamond", filled=True, size=140, color=ORANGE, opacity=1)
    return panel(title, curve(rows, x, y, BLUE), diamond.encode(x=x, y=y))


# The pictures ------------------------------------------------------------------------------------------------------


def converges(studies: Studies) -> Picture:
    """The gap and the distance of the weights fall as 1/n; n times the gap runs into the predicted slope."""
    found = studies.get(GOOD)["diagnostics"]
    gaps = [{"x": row["depth"], "y": row["gap"]} for row in found["minima"]["depths"]]
    distances = [{"x": row["depth"], "y": row["tl2"]["total"]} for row in found["minimisers"]["depths"]]
    x, y = depth(), logarithm("distance from the limit")
    guide = parallel(gaps, 2.2)
    left = panel(
        "Both fall as fast as 1/n",
        dashed(guide, x, y),
        curve(gaps, x, y, BLUE),
        curve(distances, x, y, ORANGE),
        label("1/n", guide[2], x, y, GREY),
        label("gap of the minima", gaps[0], x, y, BLUE, up=-40),
        label("distance of the weights", distances[1], x, y, ORANGE),
    )
    return left | towards(found["minima"], "n · gap runs into what is predicted (diamond)")


def iteration_limit(studies: Studies) -> Picture:
    """Minimisations that ended at the tolerance, and the same cut off after 20 iterations."""
    end, tolerance = 80, 1e-7
    x, y = along("iteration", domain=[0, end]), logarithm("norm of the gradient", domain=[1e-8, 10])

    def side(name: str, title: str) -> alt.LayerChart:
        histories = {model["model"]: model["gradient_norm"] for model in studies.get(name, "/losses")["models"]}
        layers = []
        for n, colour in ((4, ORANGE), (64, BLUE)):
            rows = [{"x": i, "y": norm} for i, norm in enumerate(histories[f"discrete-{n}"]) if norm > 0]
            layers += [line(rows, x, y, colour), curve(rows[-1:], x, y, colour)]
            layers.append(label(f"depth {n}", rows[-1], x, y, colour, up=8 if rows[-1]["y"] > tolerance else -4))
        bound = [{"x": 0, "y": tolerance}, {"x": end, "y": tolerance}]
        return panel(
            title, dashed(bound, x, y), label("tolerance", {"x": 40, "y": tolerance}, x, y, GREY, up=-9), *layers
        )

    return side(GOOD, "Ended at the tolerance") | side("verdicts/iteration_limit", "Cut off after 20 iterations")


def too_shallow(studies: Studies) -> Picture:
    """The gap has not begun to fall at the depths that were trained; at those that are advised it does."""
    trained, deeper = (
        [{"x": row["depth"], "y": row["gap"]} for row in found["diagnostics"]["minima"]["depths"]]
        for found in (
            studies.get("verdicts/too_shallow"),
            studies.get("verdicts/too_shallow", depths=[8, 16, 32, 64, 128]),
        )
    )
    x, y = depth(domain=[8, 128]), logarithm("gap of the minima", domain=[1e-5, 1e-3])
    guide = parallel(deeper, 1.6)[2:]
    named = label("1/n", guide[0], x, y, GREY)
    right = panel(
        "With the depths that it advises, and 128",
        dashed(guide, x, y),
        curve(deeper, x, y, BLUE),
        curve(trained, x, y, ORANGE),
        named,
    )
    return panel("What was trained: no fall yet", curve(trained, x, y, ORANGE)) | right


def loose_tolerance(studies: Studies) -> Picture:
    """The gaps with their errors as bars: where a bar is as long as the gap is large, nothing is known."""
    x, y = depth(), logarithm("E_n − E_∞", domain=[1e-4, 3e-2], clamp=True)

    def side(name: str, title: str) -> alt.LayerChart:
        found = studies.get(name)["diagnostics"]["minima"]
        rows = []
        for row in found["depths"]:
            error = sum(row["error_budget"][part] for part in ("optimisation", "integration", "discretisation"))
            gap = row["objective"] - found["continuum"]
            rows.append({"x": row["depth"], "y": gap, "low": max(gap - error, 1e-6), "high": gap + error})
        bars = alt.Chart(data(rows)).mark_rule(color=GREY, strokeWidth=6, opacity=0.6)
        low = alt.Y("low:Q", title="E_n − E_∞")
        return panel(title, bars.encode(x=x, y=low, y2="high:Q"), curve(rows, x, y, BLUE))

    good = side(GOOD, "Tolerance 1e-7: errors are not seen")
    return good | side("verdicts/loose_tolerance", "Tolerance 1e-2: errors like the gaps")


def identity(studies: Studies) -> Picture:
    """The minimum is one number at every depth, beside a study in which the layers do something."""

    def side(name: str, title: str, **scale: Any) -> alt.LayerChart:
        found = studies.get(name)["diagnostics"]["minima"]
        rows = [{"x": row["depth"], "y": row["objective"]} for row in found["depths"]]
        limit = [{"x": row["x"], "y": found["continuum"]} for row in rows]
        x, y = depth(), number("minimum E_n", zero=False, **scale)
        named = label("E_∞", limit[0], x, y, GREY, up=9)
        return panel(title, dashed(limit, x, y), curve(rows, x, y, BLUE), named)

    something = side(GOOD, "Layers that do something")
    return something | side("verdicts/identity", "Layers that do nothing", domain=[0.0040, 0.0041])


def unscaled_penalty(studies: Studies) -> Picture:
    """The regulariser stays under the paper's penalty and grows without its factor n; then minima do not settle."""
    good, bad = GOOD, "verdicts/unscaled_penalty"
    depths = (8, 16, 32, 64)

    def regulariser(name: str) -> list[Json]:
        rows = []
        for n in depths:
            found = studies.get(name, f"/parameters?model=discrete-{n}")
            layers = [[*chain(*K), *b] for K, b in zip(found["K"], found["b"], strict=True)]
            steps = sum((u - v) ** 2 for one, other in pairwise(layers) for u, v in zip(one, other, strict=True))
            rows.append({"x": n, "y": n * steps})
        return rows

    def minima(name: str) -> list[Json]:
        rows = studies.get(name)["diagnostics"]["minima"]["depths"]
        return [{"x": row["depth"], "y": row["objective"]} for row in rows if row["depth"] in depths]

    def side(title: str, scaled: list[Json], unscaled: list[Json], y: alt.Y, up: float) -> alt.LayerChart:
        x = depth()
        names = (
            label("scaled with n", scaled[1], x, y, BLUE, up=-14),
            label("not scaled", unscaled[1], x, y, ORANGE, up=up, align="right"),
        )
        return panel(title, curve(scaled, x, y, BLUE), curve(unscaled, x, y, ORANGE), *names)

    left = side("The regulariser grows", regulariser(good), regulariser(bad), logarithm("R_n of K and b"), 12)
    E = number("minimum E_n", zero=False)
    return left | side("The minima do not settle", minima(good), minima(bad), E, -16)


def rough_weights(studies: Studies) -> Picture:
    """One entry of K over the layers, at two depths: one curve, or values that jump from layer to layer."""
    x, y = along("t = i/n", domain=[0, 1]), number("K[1, 1] of layer i")

    def side(name: str, title: str, *named: float) -> alt.LayerChart:
        layers = []
        for n, colour, height in zip((64, 16), (BLUE, ORANGE), named, strict=True):
            K = studies.get(name, f"/parameters?model=discrete-{n}")["K"]
            rows = [{"x": i / n, "y": layer[0][0]} for i, layer in enumerate(K)]
            dots = alt.Chart(data(rows)).mark_point(color=colour, filled=True, size=18, opacity=1).encode(x=x, y=y)
            layers += [line(rows, x, y, colour), dots, label(f"n = {n}", {"x": 0.7, "y": height}, x, y, colour)]
        return panel(title, *layers)

    smooth = side(GOOD, "Smooth: depths lie on one curve", 0.1, 0.05)
    return smooth | side("rough_weights", "Rough: no curve to tend to", -900.0, -1300.0)


def bifurcation(studies: Studies) -> Picture:
    """The largest |b| by depth: 0 at depth 8, which is not on the branch of the limit, and rising to it from 16 on."""
    found = studies.get("pitchfork")
    names = [model["model"] for model in found["models"] if model["kind"] == "discrete"]
    rows = []
    for name in names:
        b = studies.get("pitchfork", f"/parameters?model={name}")["b"]
        rows.append({"x": len(b), "y": max(abs(layer[0]) for layer in b)})
    grid = studies.get("pitchfork", "/parameters?model=continuum&grid=101")["grid"]
    top = [{"x": row["x"], "y": max(abs(value[0]) for value in grid["b"])} for row in rows]
    x, y = depth(), number("largest |b|")
    left = panel(
        "Depth 8 is not on the branch of the limit",
        dashed(top, x, y),
        label("limit", top[0], x, y, GREY),
        curve(rows[1:], x, y, BLUE),
        curve(rows[:1], x, y, ORANGE, filled=False),
        label("left at 8", rows[0], x, y, ORANGE),
    )
    minima = found["diagnostics"]["minima"]
    return left | towards(minima | {"depths": minima["depths"][1:]}, "From 16 on n · gap runs into what is predicted")


def branches(studies: Studies) -> Picture:
    """Two minima at every depth, each with a limit of its own, and the share of the starts that led to each branch."""
    found = studies.get("two_moons")["diagnostics"]["branches"]
    x, y = depth(), number("minimum E_n", zero=False)
    layers = []
    followed = [one for one in found if one["status"] == "persists"]
    for one, colour, side, up in zip(followed, (BLUE, ORANGE), ("right", "left"), (-14, 8), strict=True):
        rows = [{"x": int(n), "y": value} for n, value in one["objectives"].items() if n.isdigit()]
        layers += [
            curve(rows, x, y, colour),
            label(f"branch {one['branch']}", rows[1], x, y, colour, align=side, up=up),
        ]
    led = data({"name": f"branch {one['branch']}", "y": one["frequency"]["share"]} for one in found)
    where = alt.X("name:N", title=None, axis=alt.Axis(labelAngle=0))
    share = alt.Y("y:Q", title="share of the starts", axis=alt.Axis(format="%", tickCount=5))
    bars = alt.Chart(led).mark_bar(color=BLUE, width=40).encode(x=where, y=share)
    return panel("Two minima at every depth", *layers) | panel("Where the starts led", bars)


def turnpike(studies: Studies) -> Picture:
    """States start at 1 and −1, rest near 0 in the middle and end at the targets; K(t) brakes, then drives."""
    states = studies.states("turnpike", "discrete-128")
    x, y = along("layer i", domain=[0, len(states) - 1]), number("state X_i")
    layers = []
    for sample, colour, up in ((0, BLUE, 9), (1, ORANGE, -9)):
        rows = [{"x": i, "y": state[sample][0]} for i, state in enumerate(states)]
        layers += [line(rows, x, y, colour), label(f"x = {rows[0]['y']:g}", rows[6], x, y, colour, up=up)]
    grid = studies.get("turnpike", "/parameters?model=continuum&grid=101")["grid"]
    weights = [{"x": t, "y": K[0][0]} for t, K in zip(grid["t"], grid["K"], strict=True)]
    right = panel("K brakes first, then drives", line(weights, along("t"), number("K(t)"), BLUE))
    return panel("States rest near 0 in the middle", *layers) | right


PICTURES: dict[str, Callable[[Studies], Picture]] = {
    "converges": converges,
    "iteration-limit": iteration_limit,
    "too-shallow": too_shallow,
    "loose-tolerance": loose_tolerance,
    "identity": identity,
    "unscaled-penalty": unscaled_penalty,
    "rough-weights": rough_weights,
    "bifurcation": bifurcation,
    "branches": branches,
    "turnpike": turnpike,
}


def svg(picture: Picture, title: str) -> str:
    """Text of a picture on white, which reads on light and on dark pages, with coordinates to a tenth and a title."""
    picture = (
        picture.resolve_scale(x="independent", y="independent")
        .configure(background="white", font="sans-serif", padding=12)
        .configure_axis(gridColor="#eaeef2", labelColor=INK, titleColor=INK, domainColor=GREY, tickColor=GREY)
        .configure_title(color=INK, fontSize=13, fontWeight="normal")
        .configure_view(stroke=None)
    )
    text = str(vl_convert.vegalite_to_svg(picture.to_json()))
    text = re.sub(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"', lambda found: shorter(found[0]), text)
    return re.sub(r"(<svg[^>]*)>", rf'\1 role="img"><title>{title}</title>', text, count=1) + "\n"


def shorter(attribute: str) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda digits: f"{float(digits[0]):.1f}".removesuffix(".0"), attribute)


def main() -> None:
    """Draw all, or those that are named."""
    url = os.environ.get("DEEPLIMIT_URL", "http://127.0.0.1:8000")
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        studies = Studies(client)
        for name in sys.argv[1:] or PICTURES:
            draw = PICTURES[name]
            (HERE / f"{name}.svg").write_text(svg(draw(studies), str(draw.__doc__)))


if __name__ == "__main__":
    main()
