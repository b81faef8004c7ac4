"""Names that are contents."""
