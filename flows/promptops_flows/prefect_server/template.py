"""The ready-made Prefect database that a first start begins with, instead of over 100 migrations.

`python -m promptops_flows.prefect_server.template` makes it anew; do so when Prefect is updated.
An older database is none of this module's business: Prefect migrates it at its start.
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

# SQLite's header field that says whose file it is: "POps".
APPLICATION_ID = 0x504F7073
# As Prefect's server does it at its start.
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
    """Put the template at `database` unless a file is there already; says whether it did.

    The file appears complete or not at all, also when the process dies halfway, and is readable by
    its owner only: the parameters of runs will stand in it.
    """
    if database.exists():
        return False
    database.parent.mkdir(parents=True, exist_ok=True)
    for suffix in _WAL_SUFFIXES:
        # SQLite would replay the write-ahead log of a database that was removed into this one.
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
    """Have the installed Prefect migrate an empty database and register its types of blocks in it,
    which takes a third of a first start; keep that compressed at `target`."""
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
