"""Train jobs: request, resolved specification, cost, results and diagnostics."""
