"""``python -m dlatlas``."""

from dlatlas.cli import app

app()
