"""Predictions: closed forms, quadratures, differential equations; no torch."""
