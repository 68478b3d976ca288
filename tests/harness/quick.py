"""Selects the tests that are quick enough for `make check`: those that need no server except one
shared platform."""

from pathlib import PurePath

import pytest

# Fixtures that start a platform, an engine or a Prefect server.
SERVERS = frozenset({"data_folder", "engine", "prefect_server"})
# Tests in these folders start programs.
PROGRAMS = frozenset({"attacks", "bench", "chaos", "conformance", "e2e"})


def starts_programs(item: pytest.Item) -> bool:
    return not PROGRAMS.isdisjoint(PurePath(item.nodeid.partition("::")[0]).parts)


def is_quick(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    callspec = getattr(item, "callspec", None)
    database = callspec.params.get("database_kind", "sqlite") if callspec else "sqlite"
    return database == "sqlite" and SERVERS.isdisjoint(fixtures) and not starts_programs(item)
