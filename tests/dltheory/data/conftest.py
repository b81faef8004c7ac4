"""The file data sets that those of studies are drawn from."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made(prepared_data) -> Path:
    """A data folder; not to be written to."""
    return prepared_data
