"""``python -m dlatlas``."""

from dlatlas.cli.app import app

if __name__ == "__main__":  # not in the processes that a stack is split over
    app()
