"""Measures that only studies need."""
