"""From declarations to jobs."""
