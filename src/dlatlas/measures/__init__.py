"""Measures: pure functions from stacked parameters (and data) to numbers."""
