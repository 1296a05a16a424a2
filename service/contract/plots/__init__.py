"""What both sides know of plots: the list of a job's plots, and the numbers that each is drawn from."""
