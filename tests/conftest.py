"""The real servers that several parts of the suite share; each is started once a session."""

import gc
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from harness.engine import engine
from harness.postgres import postgres
from harness.prefect_server import prefect_server
from harness.quick import is_quick, starts_programs
from harness.temporary_folders import keep_files_in_memory

__all__ = ["engine", "postgres", "prefect_server"]

keep_files_in_memory()

# structlog's own default draws a traceback in colours, which takes a second.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
)

# A busy machine is slow, which says nothing about the code: no example fails for its time.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


# Rooms whose statements differ between the databases, or that are about them: all that they ask is
# asked of both. The others run on SQLite in `make test`, and on PostgreSQL in `make test-postgres`.
BOTH_DATABASES = ("platform/changes", "platform/db", "platform/prompts", "platform/runlog")
TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run the trials of faults for long.")
    parser.addoption("--quick", action="store_true", help="Leave out what starts servers.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        left_out = [item for item in items if not is_quick(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_quick(item)]
    if not config.getoption("--long"):
        left_out = [item for item in items if _is_left_out(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_left_out(item)]
    # What starts programs takes longest and waits most: at the end, one process would wait alone.
    items.sort(key=starts_programs, reverse=True)


@pytest.hookimpl
def pytest_collection_finish() -> None:
    """What is loaded by now stays: without it, collections of garbage are quick."""
    gc.collect()
    gc.freeze()


def _is_left_out(item: pytest.Item) -> bool:
    """Whether `make test` leaves it to other commands."""
    if item.get_closest_marker("long") is not None:
        return True
    if item.get_closest_marker("trial") is not None and item.config.option.markexpr != "trial":
        return True
    call = getattr(item, "callspec", None)
    is_on_postgres = call is not None and call.params.get("database_kind") == "postgresql"
    path = item.path.relative_to(TESTS).as_posix()
    return is_on_postgres and not path.startswith(BOTH_DATABASES)
