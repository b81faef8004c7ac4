"""The stacked ensemble and one job of it."""
