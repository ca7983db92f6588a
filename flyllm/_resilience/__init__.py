"""Policy without I/O: deadlines, backoff, what a failure means, and the one use of tenacity."""
