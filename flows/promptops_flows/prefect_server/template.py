"""The prebuilt Prefect database for a first start, instead of over 100 migrations.

`python -m promptops_flows.prefect_server.template` rebuilds it; do so after an update of Prefect.
Prefect migrates existing databases itself at its start.
"""

from __future__ import annotations

import lzma
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from promptops_flows.processes.prefect_files import TEMPLATE

# SQLite's header field that identifies the application of a file: "POps".
APPLICATION_ID = 0x504F7073
# The same that Prefect's server does at its start.
_REGISTER_BLOCKS = """
import asyncio

from prefect.server.database import provide_database_interface
from prefect.server.models.block_registration import run_block_auto_registration


async def register():
    async with await provide_database_interface().session() as session:
        await run_block_auto_registration(session=session)


asyncio.run(register())
"""
_WAL_SUFFIXES = ("-wal", "-shm")


def install(database: Path) -> bool:
    """Put the template at `database` unless the file exists; returns whether it did.

    The file appears complete or not at all, even if the process is killed, and only its owner can
    read it: it will contain the parameters of runs.
    """
    if database.exists():
        return False
    database.parent.mkdir(parents=True, exist_ok=True)
    for suffix in _WAL_SUFFIXES:
        # SQLite would replay the write-ahead log of a deleted database into this one.
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=database.parent, prefix=".template-", delete=False
    ) as draft:
        draft.write(lzma.decompress(TEMPLATE.read_bytes()))
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).replace(database)
    return True


def build(target: Path = TEMPLATE) -> None:
    """Let the installed Prefect migrate an empty database and register its block types in it, which
    takes a third of a first start; the result is stored compressed at `target`."""
    with tempfile.TemporaryDirectory() as folder:
        migrated, compact = Path(folder, "migrated.db"), Path(folder, "compact.db")
        _migrate(migrated)
        connection = sqlite3.connect(migrated)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("VACUUM INTO ?", (str(compact),))
        finally:
            connection.close()
        target.write_bytes(lzma.compress(compact.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


def _migrate(database: Path) -> None:
    own = {
        "PREFECT_HOME": str(database.parent),
        "PREFECT_PROFILES_PATH": str(database.parent / "profiles.toml"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "DO_NOT_TRACK": "1",
    }
    upgrade = ("-m", "prefect", "server", "database", "upgrade", "--yes")
    for arguments in (upgrade, ("-c", _REGISTER_BLOCKS)):
        command = [sys.executable, *arguments]
        subprocess.run(command, env={**os.environ, **own}, check=True)  # noqa: S603 - own interpreter


if __name__ == "__main__":
    build()
