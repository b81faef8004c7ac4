"""Data sets: one file each, a generator or a loader that returns a Dataset."""
