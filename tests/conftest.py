"""The real servers that several parts of the suite share; each is started once a session."""

import pytest

from harness.engine import engine
from harness.postgres import postgres
from harness.prefect_server import prefect_server

__all__ = ["engine", "postgres", "prefect_server"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run the trials of faults for long.")
