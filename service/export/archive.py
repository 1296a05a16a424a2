"""The zip of a model to take away: the same job gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Final

from service.contract.train.resolved import ResolvedTrainSpec
from service.contract.values.media_types import HTML, JSON, SAFETENSORS
from service.export import crate
from service.export.card import model_card
from service.export.crate import File
from service.export.model_code import model_code
from service.export.network import described, network_of
from service.report.render import render

if TYPE_CHECKING:
    from service.export.network import Network
    from service.report.render import Source

BEGINNING: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold, of every file in it."""
KINDS: Final = {
    "parameters.safetensors": (SAFETENSORS, "Weights of the network, and how to rebuild it from them."),
    "model.py": ("text/x-python", "Code that runs the network; it needs torch alone."),
    "MODEL_CARD.md": ("text/markdown", "What the model is, on what it was trained, how good it is, and its limits."),
    "report.html": (HTML, "The report of the study that it is from."),
    "specification.json": (JSON, "The specification of the study, with every default filled in."),
    "results.json": (JSON, "The results of the study: every model, the diagnostics, the provenance."),
}


def exported_parameters(source: Source, parameters: bytes) -> tuple[Network, bytes]:
    """Return what a model is, and its parameters file with that among its metadata."""
    results = json.loads(source.results)
    spec = ResolvedTrainSpec.model_validate(source.record.spec)
    network = network_of(source.record.id, spec, results, parameters)
    return network, described(parameters, network)


def archive(source: Source, parameters: bytes) -> bytes:
    """Return the zip of one model of a train job, from what its report is made of and its parameters file."""
    network, content = exported_parameters(source, parameters)
    record, results = source.record, json.loads(source.results)
    files = {
        "parameters.safetensors": content,
        "model.py": model_code(network).encode(),
        "MODEL_CARD.md": model_card(network, record.name, record.spec, results).encode(),
        "report.html": render(source).encode(),
        "specification.json": json.dumps(record.spec, indent=1, ensure_ascii=False).encode(),
        "results.json": source.results,
    }
    listed = {name: File(len(data), hashlib.sha256(data).hexdigest(), *KINDS[name]) for name, data in files.items()}
    return _zipped({crate.NAME: crate.crate(record, results, listed), **files})


def _zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return packed.getvalue()
