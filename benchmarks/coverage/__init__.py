"""Whether error budgets and intervals hold the truth, and how wide they are."""
