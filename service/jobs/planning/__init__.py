"""From a body to a job that is ready to be queued: here where the body is small, in a process of its own where not."""
