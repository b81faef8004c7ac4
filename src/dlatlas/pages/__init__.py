"""The static page over all studies."""
