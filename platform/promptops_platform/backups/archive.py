"""The file of a backup: a compressed tar file that begins with a manifest.

`manifest.json` describes the other members, with a SHA-256 of each. Members are unpacked only to
the names in the manifest, so a malicious file can't write anywhere else.
"""

import gzip
import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

FORMAT = 1
MANIFEST = "manifest.json"
LONGEST_MANIFEST = 16 * 1024 * 1024
# The texts of a registry shrink to a tenth; the highest levels take many times as long.
COMPRESSION = 4
CHUNK = 1024 * 1024

DatabaseKind = Literal["sqlite", "postgresql"]


class BackupError(ValueError):
    """A backup can't be made, read or restored; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """A table: the number of its rows and, for PostgreSQL, its columns in the order of the copy."""

    rows: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a backup. `members` contains the SHA-256 of each other file in it."""

    release: str
    created_at: str
    database: DatabaseKind
    schema: str
    tables: Mapping[str, TableCopy]
    members: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT


def write_archive(path: Path, manifest: Manifest, members: Mapping[str, Path]) -> Manifest:
    """Write the backup atomically, readable only by its owner. Raises BackupError if the file
    exists."""
    if path.exists():
        raise BackupError(f"{path} exists already; choose another name")
    hashes = {name: _hash(member) for name, member in members.items()}
    complete = Manifest(**{**_fields(manifest), "members": hashes})
    descriptor, draft = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            gzip.GzipFile(
                fileobj=file, mode="wb", compresslevel=COMPRESSION, filename=""
            ) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            _add_manifest(archive, complete)
            for name, member in members.items():
                archive.add(member, name, filter=_anonymous)
        _reach_the_disk(draft)
        # A link, not a rename, which would replace a file that another process has created first.
        os.link(draft, path)
    except FileExistsError:
        raise BackupError(f"{path} exists already; choose another name") from None
    finally:
        Path(draft).unlink(missing_ok=True)
    return complete


def read_archive(path: Path, folder: Path) -> tuple[Manifest, dict[str, Path]]:
    """Unpack a backup into a folder and check that nothing is missing or damaged. Returns the
    members by their names. Raises BackupError."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            manifest = _read_manifest(archive, path)
            members = _unpack(archive, manifest, folder)
    except FileNotFoundError:
        raise BackupError(f"{path} does not exist") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, OSError, ValueError) as error:
        if isinstance(error, BackupError):
            raise
        raise BackupError(f"{path} is not a backup of PromptOps, or is damaged: {error}") from error
    for name, expected in manifest.members.items():
        if name not in members or _hash(members[name]) != expected:
            raise BackupError(f"{path} is damaged: {name} is missing or not as it was written")
    return manifest, members


def _read_manifest(archive: tarfile.TarFile, path: Path) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or first.size > LONGEST_MANIFEST:
        raise BackupError(f"{path} is not a backup of PromptOps")
    content = archive.extractfile(first)
    values: dict[str, Any] = json.loads(content.read() if content else b"")
    if values.get("format") != FORMAT:
        raise BackupError(
            f"{path} was made by PromptOps {values.get('release')}, which is newer than this "
            "release; restore it with that one"
        )
    try:
        tables = {
            name: TableCopy(int(table["rows"]), tuple(table["columns"]))
            for name, table in values.pop("tables").items()
        }
        return Manifest(tables=tables, **values)
    except (KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{path} has a damaged manifest: {error}") from error


def _unpack(archive: tarfile.TarFile, manifest: Manifest, folder: Path) -> dict[str, Path]:
    members: dict[str, Path] = {}
    for number, entry in enumerate(archive):
        content = archive.extractfile(entry) if entry.isreg() else None
        if entry.name == MANIFEST or content is None or entry.name not in manifest.members:
            continue
        target = members[entry.name] = folder / f"{number}"
        with target.open("wb") as file:
            while chunk := content.read(CHUNK):
                file.write(chunk)
    return members


def _add_manifest(archive: tarfile.TarFile, manifest: Manifest) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(asdict(manifest), indent=1).encode())
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = file.tell()
        entry.mode = 0o600
        file.seek(0)
        archive.addfile(entry, file)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}


def _reach_the_disk(path: str) -> None:
    with Path(path).open("rb") as file:
        os.fsync(file.fileno())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
