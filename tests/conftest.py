"""The real servers that several parts of the suite share; each is started once a session."""

from harness.engine import engine
from harness.postgres import postgres
from harness.prefect_server import prefect_server

__all__ = ["engine", "postgres", "prefect_server"]
