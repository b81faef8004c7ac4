"""Formulas that studies test."""
