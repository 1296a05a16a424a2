"""What can be done with jobs, and what keeps them going. No HTTP in it."""
