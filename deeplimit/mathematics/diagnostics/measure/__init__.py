"""One module a diagnostic: what is measured of a study, with its errors."""
