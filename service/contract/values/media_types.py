"""Media types that bodies and objects go by."""

from typing import Final

JSON: Final = "application/json"
SAFETENSORS: Final = "application/vnd.safetensors"
NPZ: Final = "application/x-npz"
PARQUET: Final = "application/vnd.apache.parquet"
CSV: Final = "text/csv"
SVG: Final = "image/svg+xml"
PNG: Final = "image/png"
PDF: Final = "application/pdf"
VEGA_LITE: Final = "application/vnd.vegalite.v6+json"
HTML: Final = "text/html"
ZIP: Final = "application/zip"
BYTES: Final = "application/octet-stream"
"""Anything."""
