"""Labelled stores of all that a study measured."""
