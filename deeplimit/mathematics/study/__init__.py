"""Training: every depth and the continuum along every branch."""
