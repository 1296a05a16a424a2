"""The published limits of a specification. ``GET /v1/capabilities`` shows them."""

from __future__ import annotations

import sys
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LEAST_POSITIVE: Final = sys.float_info.min
"""The smallest normal double, 2.2e-308: what is below it has lost digits, and its square root or inverse the rest."""
LEAST_POSITIVE_FLOAT32: Final = 2.0**-126
"""The same of single precision, 1.2e-38, in which smaller weights would count as nothing."""


class Limits(BaseModel):
    """What a request may ask for at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = Field(default=16 * 2**20, description="Bytes of a request body.")
    nesting: int = Field(default=32, description="Depth of nested arrays and objects in a body.")
    depth: int = Field(default=4096, description="Layers of one network.")
    depths: int = Field(default=16, description="Depths in one study.")
    samples: int = Field(default=100_000, description="Samples of a data set, S.")
    features: int = Field(default=4096, description="Entries of one input.")
    outputs: int = Field(default=1000, description="Classes, or entries of one target, m.")
    levels: int = Field(default=100, description="Different texts of one column that is encoded.")
    state_dim: int = Field(default=1024, description="State dimension, d.")
    starts: int = Field(default=64, description="Random starts at the coarsest depth.")
    iterations: int = Field(default=100_000, description="`training.max_iterations`.")
    wall_time_s: float = Field(default=86_400.0, description="`limits.wall_time_s`, in seconds.")
    magnitude: float = Field(default=1e100, description="Absolute value of a number in inline data.")
    seed: int = Field(default=2**32 - 1, description="Any seed.")
    name_length: int = Field(default=200, description="Characters of `name` and `external_id`.")
    metadata_entries: int = Field(default=32, description="Entries of `metadata`.")
    metadata_length: int = Field(default=500, description="Characters of a key or a text in `metadata`.")
    memory_bytes: int = Field(default=16 * 2**30, description="Estimated memory of one gradient, in bytes.")
    work_flops: float = Field(default=1e18, description="Estimated work of a job, in floating-point operations.")
    json_numbers: int = Field(default=250_000, description="Numbers in parameters sent as JSON.")
    grid: int = Field(default=100_001, description="Points of `grid`.")
    wait_s: int = Field(default=30, description="Seconds of `Prefer: wait`.")
    page: int = Field(default=200, description="Jobs on one page of a listing.")
    upload_bytes: int = Field(default=64 * 2**20, description="Bytes of an uploaded data set.")
    upload_numbers: int = Field(default=2**24, description="Numbers of an uploaded data set, inputs and targets.")
    uploads: int = Field(default=1000, description="Uploaded data sets kept at once.")
    output_numbers: int = Field(default=2**24, description="Numbers of one array of predictions or states.")
    models: int = Field(default=64, description="Models of one evaluation.")
    networks: int = Field(default=64, description="Networks of one diagnosis.")
    noise_levels: int = Field(default=20, description="Noise levels of one evaluation.")
    repeats: int = Field(default=100, description="Draws of the noise at one level.")

    @property
    def fixed_rows(self) -> int:
        """Rows of a fixed parameter: states for K and b, outputs for W and c."""
        return max(self.state_dim, self.outputs)


LIMITS = Limits()
