"""What a job was about, in the words of whoever asked: data, samples, columns, and what was varied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.contract.data.sources import BUILTINS, BuiltinName
from service.report.texts import at, count, listed, number

if TYPE_CHECKING:
    from service.report.parts import Json

PLAIN: Final = {
    ("network", "weights"): ("varying", "weights are {} over the layers"),
    ("network", "integrator"): ("euler", "layers are steps of {}"),
    ("network", "block"): ("single", "blocks are of the kind {}"),
    ("network", "horizon"): (1.0, "the horizon is {}"),
    ("objective", "scaling"): ("h1", "the regulariser is {}"),
    ("objective", "running_cost"): (0.0, "a running cost has the weight {}"),
}
"""What a study usually has, and how a departure from it is put."""


def data_name(data: Json) -> str:
    """Return what the data are called, in quotes where the user gave the name."""
    if data.get("source") == "builtin":
        return str(data["name"])
    if data.get("source") == "dataset":
        return f"“{data['name']}”" if data.get("name") else f"the data set {str(data.get('id', ''))[:12]}…"
    return "the samples of the specification"


def data_facts(data: Json, found: Json | None) -> list[tuple[str, str]]:
    """Return the rows about the data: of the specification, and of the results where they have such.

    Parameters
    ----------
    data
        Of the resolved specification.
    found
        ``data`` of the results of a train job; earlier versions had none.
    """
    found = found or {}
    facts = [("Data", _described(data))]
    samples = found.get("samples")
    fraction = data.get("validation_fraction") or 0.0
    if samples:
        held = samples.get("validation") or 0
        word = f"{held} held out for validation" if held else "none held out for validation"
        facts.append(("Samples", f"{samples['train']} to train on, {word}"))
    elif (total := _total(data)) is not None:
        word = (
            f"of which {100 * fraction:.0f} % held out for validation" if fraction else "none held out for validation"
        )
        facts.append(("Samples", f"{total}, {word}"))
    inputs = found.get("inputs") or data.get("columns")
    features = found.get("features") or data.get("features") or _builtin(data, "features")
    if inputs or features:
        facts.append(("Inputs", f"{len(inputs)}: {listed(inputs)}" if inputs else str(features)))
    if found.get("targets"):
        facts.append(("Target", listed(found["targets"])))
    classes = found.get("classes") or data.get("class_names")
    if classes:
        facts.append(("Classes", f"{len(classes)}: {listed(classes)}"))
    return facts


def _described(data: Json) -> str:
    text = data_name(data)
    if data.get("source") == "builtin":
        noise = data.get("noise")
        return f"{text}, built in" + (
            f", drawn with noise {noise:g} and seed {data['seed']}" if noise is not None else ""
        )
    return text[0].upper() + text[1:]


def _total(data: Json) -> int | None:
    total: int | None = data.get("samples") or _builtin(data, "samples")
    return total


def _builtin(data: Json, field: str) -> int | None:
    if data.get("source") != "builtin" or data.get("name") not in set(BuiltinName):
        return None
    value: int | None = getattr(BUILTINS[BuiltinName(data["name"])], field)
    return value


def varied(spec: Json) -> str:
    """Return what a study varied: the depths, or the error for which one was sought."""
    depths = at(spec, "discrete", "depths")
    limit = " and their continuum limit" if spec.get("continuum") is not None else ", without their continuum limit"
    if depths is None:
        return "the continuum limit alone"
    if isinstance(depths, list):
        return f"{count(len(depths), 'depth')}, {listed([str(depth) for depth in depths])}{limit}"
    ((wanted, error),) = depths.items()
    return f"depths, to find the smallest for a {wanted.replace('_', ' ')} of {number(error)}{limit}"


def network_of(spec: Json) -> str:
    """Return the network in a line, with every departure from the usual study."""
    network = spec["network"]
    text = f"state of {count(network['state_dim'], 'number')}"
    text += f", activation {network['activation']}, output {network['output']}"
    if network.get("width"):
        text += f", width {network['width']}"
    for path, (usual, words) in PLAIN.items():
        value = at(spec, *path)
        if value is not None and value != usual:
            text += f"; {words.format(str(value).replace('_', ' '))}"
    fixed = [name for name, value in (network.get("fixed") or {}).items() if value is not None]
    return text + (f"; {', '.join(fixed)} held constant" if fixed else "")
