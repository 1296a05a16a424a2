"""What can be done with data sets: their records, and the reading of uploads. No HTTP in it."""
