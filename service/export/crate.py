"""`ro-crate-metadata.json`: what was run on what with what, as a Process Run Crate (Leo et al. 2024, PLoS ONE 19:9).

It is RO-Crate 1.1 with the profile https://w3id.org/ro/wfrun/process/0.5: one `CreateAction` from the data and the
specification to the files, by deeplimit and the libraries under it. Some thirty entities of JSON-LD are written here by
hand: the library for them, rocrate, writes to directories and brings packages of its own, where a dictionary is wanted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from service.report.data import data_name
from service.report.texts import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from service.contract.job import JobRecord
    from service.report.parts import Json

NAME: Final = "ro-crate-metadata.json"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
SPECIFICATION: Final = "https://w3id.org/ro/crate/1.1"
CONTEXT: Final = [f"{SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
PAGES: Final = {
    "python": "https://www.python.org/",
    "numpy": "https://numpy.org/",
    "scipy": "https://scipy.org/",
    "scikit-learn": "https://scikit-learn.org/",
    "torch": "https://pytorch.org/",
    "openblas": "https://www.openmathlib.org/OpenBLAS/",
    "mkl": "https://www.intel.com/content/www/us/en/developer/tools/oneapi/onemkl.html",
    "cuda": "https://developer.nvidia.com/cuda-toolkit",
}
DEEPLIMIT: Final = "urn:software:deeplimit"
RIGHTS: Final = {
    "@id": "#rights",
    "@type": "CreativeWork",
    "name": "Rights",
    "description": "The rights in data and model are their owner's; deeplimit claims none.",
}
SOURCES: Final = {"specification.json"}
"""Files that the run began with; the others are what came of it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the crate: its size and hash, its media type, and what it is."""

    size: int
    sha256: str
    media_type: str
    what: str


def crate(record: JobRecord, results: Json, files: Mapping[str, File]) -> bytes:
    """Return the metadata of a crate of these files by name."""
    provenance: Json = results.get("provenance") or {}
    libraries = _libraries(provenance)
    data = _data(record, provenance)
    finished = _time(record.finished_at or record.updated_at)
    graph = [
        _metadata_file(),
        _root(record, finished, files),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        _action(record, provenance, finished, data, files),
        RIGHTS,
        _software(provenance, libraries),
        *libraries,
        *_settings(provenance),
        data,
        *(_file(name, file) for name, file in files.items()),
    ]
    document = {"@context": CONTEXT, "@graph": graph}
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _metadata_file() -> Json:
    return {
        "@id": NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": SPECIFICATION},
    }


def _root(record: JobRecord, finished: str, files: Mapping[str, File]) -> Json:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": visible(record.name or f"A model of job {record.id}"),
        "description": "A residual network or its continuum limit, trained by deeplimit, with code to run it, a model"
        " card, the report of its study, and what it takes to train it again.",
        "datePublished": finished,
        "identifier": record.id,
        "license": {"@id": "#rights"},
        "conformsTo": {"@id": PROFILE},
        "hasPart": _ids(files),
        "mentions": {"@id": f"#job-{record.id}"},
    }


def _action(record: JobRecord, provenance: Json, finished: str, data: Json, files: Mapping[str, File]) -> Json:
    action = {
        "@id": f"#job-{record.id}",
        "@type": "CreateAction",
        "name": f"Training of job {record.id}",
        "description": f"Trained with seed {provenance.get('seed')} in {provenance.get('dtype')} on"
        f" {provenance.get('device')}; attempt {record.attempt}.",
        "instrument": {"@id": DEEPLIMIT},
        "object": [{"@id": data["@id"]}, *_ids(name for name in files if name in SOURCES)],
        "result": _ids(name for name in files if name not in SOURCES),
        "endTime": finished,
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "environment": _ids(setting["@id"] for setting in _settings(provenance)),
    }
    if record.started_at is not None:
        action["startTime"] = _time(record.started_at)
    return action


def _software(provenance: Json, libraries: Sequence[Json]) -> Json:
    return {
        "@id": DEEPLIMIT,
        "@type": "SoftwareApplication",
        "name": "deeplimit",
        "description": "Trains residual networks of growing depth and their continuum limit.",
        "softwareVersion": str(provenance.get("version", "")),
        "url": "https://arxiv.org/abs/1810.11741",
        "softwareRequirements": _ids(library["@id"] for library in libraries),
    }


def _libraries(provenance: Json) -> list[Json]:
    found: Mapping[str, str] = provenance.get("libraries") or {"torch": str(provenance.get("torch", ""))}
    return [
        {
            "@id": PAGES.get(name, f"https://pypi.org/project/{name}/"),
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
            "url": PAGES.get(name, f"https://pypi.org/project/{name}/"),
        }
        for name, version in found.items()
    ]


def _settings(provenance: Json) -> list[Json]:
    """Return what the numbers may hang on beside versions."""
    values = {"threads": provenance.get("threads"), "device": provenance.get("device"), "seed": provenance.get("seed")}
    return [
        {"@id": f"#{name}", "@type": "PropertyValue", "name": name, "value": str(value)}
        for name, value in values.items()
        if value is not None
    ]


def _data(record: JobRecord, provenance: Json) -> Json:
    """Return the data, which are not in the crate: what they are called, and by what they can be told."""
    data = record.spec["data"]
    sha256 = provenance.get("data_sha256") or data.get("sha256")
    described: dict[str, Any] = {
        "@id": "#data",
        "@type": "CreativeWork",
        "name": visible(data_name(data)),
        "description": "Inputs and targets that the model was trained on; not in this crate. The hash is over inputs,"
        " then targets, as little-endian doubles in row-major order.",
    }
    if sha256:
        described["sha256"] = sha256
    if data.get("id"):
        described["identifier"] = data["id"]
    return described


def _file(name: str, file: File) -> Json:
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "description": file.what,
        "encodingFormat": file.media_type,
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }


def _time(when: datetime) -> str:
    return when.isoformat(timespec="seconds")


def _ids(names: Any) -> list[Json]:
    return [{"@id": name} for name in names]
