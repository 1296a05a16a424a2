"""Data to train or evaluate on: sources in a specification, and what is known of an uploaded data set."""
