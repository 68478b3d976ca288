"""Checks whether Prefect can start with the files in its home. Doesn't load Prefect: the platform
runs the check before it starts the child processes."""

from __future__ import annotations

import importlib.util
import lzma
import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

TEMPLATE = Path(__file__).parents[1] / "prefect_server" / "template.db.xz"
DATABASE = "prefect.db"
PROFILES = "profiles.toml"
_SQLITE_HEADER = b"SQLite format 3\0"
# A full check of a larger file would delay the start.
_CHECKED_BYTES = 64 * 1024 * 1024
_REVISION = re.compile(r"^revision[^=\n]*=\s*[\"'](\w+)", re.MULTILINE)
_NEW_DATABASE = (
    "put it back from a backup, or remove it with its -wal and -shm: Prefect then creates an "
    "empty one, and PromptOps keeps its own log of runs"
)


class PrefectFilesNotUsable(ValueError):
    """The message names the file and says what to do."""


def check_prefect_files(home: Path, *, with_server: bool) -> None:
    """Raises PrefectFilesNotUsable. The database is checked only if the server is started, too."""
    if (home.is_symlink() and not home.exists()) or (home.exists() and not home.is_dir()):
        raise PrefectFilesNotUsable(f"{home} must be a folder; move it away")
    _check_profiles(home / PROFILES)
    if with_server:
        _check_database(home / DATABASE)


def _check_profiles(path: Path) -> None:
    remedy = "remove it, PromptOps needs none"
    if not path.exists():
        return
    if not path.is_file():
        raise PrefectFilesNotUsable(f"{path} must be a file; {remedy}")
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        raise PrefectFilesNotUsable(f"{path} can't be read as TOML; {remedy}") from None


def _check_database(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise PrefectFilesNotUsable(f"{path} is a link to a file that is missing; {_NEW_DATABASE}")
    if not path.exists():
        _check_template()
        return
    if not path.is_file():
        raise PrefectFilesNotUsable(f"{path} must be a file; move it away")
    try:
        with path.open("rb") as file:
            header = file.read(len(_SQLITE_HEADER))
    except OSError as error:
        raise PrefectFilesNotUsable(
            f"can't read {path} ({error.strerror}); give it to the user that runs PromptOps"
        ) from error
    if not header:
        raise PrefectFilesNotUsable(f"{path} is empty; {_NEW_DATABASE}")
    if header != _SQLITE_HEADER:
        raise PrefectFilesNotUsable(f"{path} is not a SQLite database; {_NEW_DATABASE}")
    _check_schema(path)


def _check_schema(path: Path) -> None:
    try:
        revision = _revision(path)
    except sqlite3.OperationalError as error:
        raise PrefectFilesNotUsable(
            f"{path} is not a database of Prefect ({error}); {_NEW_DATABASE}"
        ) from error
    except sqlite3.DatabaseError as error:
        raise PrefectFilesNotUsable(f"{path} is damaged ({error}); {_NEW_DATABASE}") from error
    if revision is None:
        raise PrefectFilesNotUsable(f"{path} is not a database of Prefect; {_NEW_DATABASE}")
    if revision not in _known_revisions():
        raise PrefectFilesNotUsable(
            f"{path} has schema {revision}, which the installed Prefect does not know; start the "
            f"release of PromptOps that wrote it, or: {_NEW_DATABASE}"
        )


def _revision(path: Path) -> str | None:
    """The schema's revision; None for a database without one. Reads only."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        if path.stat().st_size <= _CHECKED_BYTES:
            (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if finding != "ok":
                raise sqlite3.DatabaseError(str(finding).partition("\n")[0])
        tables = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'flow_run')"
        ).fetchone()
        if tables != (2,):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def _known_revisions() -> set[str]:
    """The revisions of the installed Prefect's migrations, without loading Prefect."""
    prefect = importlib.util.find_spec("prefect")
    folders = (prefect.submodule_search_locations if prefect else None) or ()
    return {
        match[1]
        for folder in folders
        for path in Path(folder).glob("server/database/_migrations/versions/sqlite/*.py")
        if (match := _REVISION.search(path.read_text(encoding="utf-8")))
    }


def _check_template() -> None:
    """The first start needs it."""
    try:
        content = lzma.decompress(TEMPLATE.read_bytes())
    except (OSError, lzma.LZMAError):
        content = b""
    if not content.startswith(_SQLITE_HEADER):
        raise PrefectFilesNotUsable(
            f"{TEMPLATE} is missing or damaged; install PromptOps again (make up)"
        )
