"""Media types that bodies and objects go by."""

from typing import Final

JSON: Final = "application/json"
SAFETENSORS: Final = "application/vnd.safetensors"
NPZ: Final = "application/x-npz"
PARQUET: Final = "application/vnd.apache.parquet"
CSV: Final = "text/csv"
HTML: Final = "text/html"
ZIP: Final = "application/zip"
BYTES: Final = "application/octet-stream"
"""Anything."""
