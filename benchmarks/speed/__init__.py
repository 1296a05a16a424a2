"""Training and gradients here against what users would pick instead, on the same problems."""
