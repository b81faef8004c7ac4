"""One house style for every figure, and its provenance inside the file."""
