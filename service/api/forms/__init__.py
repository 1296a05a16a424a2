"""Forms in which arrays are sent: JSON, safetensors, NPZ."""
