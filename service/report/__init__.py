"""One HTML page about a finished job: presenters, one a kind of job, and the template that shows what they make."""
