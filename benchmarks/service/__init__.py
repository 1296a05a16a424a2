"""What the service itself costs: latency, CPU time of requests, and what large bodies do to others."""
