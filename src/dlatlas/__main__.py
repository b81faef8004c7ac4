"""``python -m dlatlas``, and the command `dlatlas`."""

from dlatlas.identity.imported import watch

watch()  # before what is to be watched is imported

from dlatlas.cli.app import app  # noqa: E402

if __name__ == "__main__":  # not in the processes that a stack is split over
    app()
