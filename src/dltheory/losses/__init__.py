"""Losses that only studies need."""
