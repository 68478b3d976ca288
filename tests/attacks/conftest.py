"""Platforms to attack."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.platform import new_data_folder


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """An empty data folder, removed at the end."""
    folder = new_data_folder()
    yield folder
    shutil.rmtree(folder)
