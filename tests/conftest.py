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


# What is asked of both databases in `make test`: statements that differ between them, locks,
# transactions and the feed. The rest runs on SQLite, and on PostgreSQL in `make test-postgres`.
BOTH_DATABASES = (
    "platform/changes/",
    "platform/db/",
    "platform/prompts/test_editors.py::test_of_many_at_once_one_wins",
    "platform/prompts/test_lists.py",
    "platform/prompts/test_promotion.py",
    "platform/prompts/test_prompts.py",
    "platform/prompts/test_search.py",
    "platform/runlog/test_chart.py",
    "platform/runlog/test_impossible_counts.py",
    "platform/runlog/test_pages.py",
    "platform/runlog/test_prompt_statistics.py",
    "platform/runlog/test_recording.py",
    "platform/runlog/test_retention.py",
    "platform/runlog/test_statistics.py",
    "platform/runlog/test_used_prompts.py",
    "platform/runlog/test_version_statistics.py",
)
SQLITE_ONLY = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True, scope="session")
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


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes no tests for a database that `make test` leaves out: each costs time to collect."""
    definition = metafunc.definition
    name = f"{definition.path.relative_to(TESTS).as_posix()}::{definition.originalname}"
    if (
        "database_kind" in metafunc.fixturenames
        and not metafunc.config.getoption("--long")
        and not name.startswith(BOTH_DATABASES)
        and not any("database_kind" in m.args[0] for m in definition.iter_markers("parametrize"))
    ):
        definition.add_marker(SQLITE_ONLY)


def _is_left_out(item: pytest.Item) -> bool:
    """Whether `make test` leaves it to other commands."""
    if item.get_closest_marker("long") is not None:
        return True
    return item.get_closest_marker("trial") is not None and item.config.option.markexpr != "trial"
