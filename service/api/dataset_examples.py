"""Examples of an uploaded data set for the OpenAPI document: the file, what is known of it, and a look at it."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

CSV: Final = "left,right,side\n0,1,down\n1,0,up\n2,1,up\n1,2,down\n"
_UPLOAD = "10eae842cf5965997d798cdbb9a45467770afca1ee3874bc80b4fd80f0d99fee"

DATASET: Json = {
    "id": _UPLOAD,
    "kind": "samples",
    "name": "sides",
    "format": "csv",
    "dropped_rows": 0,
    "uploaded_bytes": len(CSV),
    "bytes": 520,
    "created_at": "2026-11-26T10:00:00Z",
    "samples": 4,
    "features": 2,
    "columns": ["left", "right"],
    "target_columns": ["side"],
    "encoded": None,
    "dropped_columns": None,
    "targets": {"kind": "classes", "outputs": 1, "class_counts": [2, 2], "class_names": ["down", "up"]},
    "depth": None,
    "state_dim": None,
    "links": {"self": f"/v1/datasets/{_UPLOAD}", "preview": f"/v1/datasets/{_UPLOAD}/preview"},
}
_INPUT: Json = {"role": "input", "type": "integer", "missing": 0, "classes": None, "more_classes": 0}
PREVIEW: Json = {
    "samples": 4,
    "columns": [
        {"name": "left", "minimum": 0.0, "maximum": 2.0, "mean": 1.0, **_INPUT},
        {"name": "right", "minimum": 0.0, "maximum": 2.0, "mean": 1.0, **_INPUT},
        {
            "name": "side",
            "role": "target",
            "type": "label",
            "minimum": None,
            "maximum": None,
            "mean": None,
            "missing": 0,
            "classes": [{"name": "down", "samples": 2}, {"name": "up", "samples": 2}],
            "more_classes": 0,
        },
    ],
    "more_columns": 0,
    "rows": [[0, 1, "down"], [1, 0, "up"], [2, 1, "up"], [1, 2, "down"]],
    "dropped_rows": 0,
    "dropped_columns": [],
}
