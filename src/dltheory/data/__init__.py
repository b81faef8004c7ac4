"""Data sets that only studies need."""
