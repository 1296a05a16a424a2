"""What a study says about the theorem: one module a diagnostic, every formula with its source."""
