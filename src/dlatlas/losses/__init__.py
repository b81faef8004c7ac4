"""Losses of one network."""
