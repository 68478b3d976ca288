"""Where a registry database is."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class SqliteFile:
    """A file of SQLite."""

    path: Path

    def __str__(self) -> str:
        return f"the SQLite file {self.path} (PROMPTOPS_DB)"


@dataclass(frozen=True)
class PostgresUrl:
    """A PostgreSQL URL as its own tools take it, `sslmode` and other parameters included.

    Raises ValueError for another scheme. The text form leaves user and password out.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(SCHEMES):
            raise ValueError(f"must begin with {SCHEMES[0]}; give a PostgreSQL URL")
        try:
            _ = urlsplit(self.url).port
        except ValueError:
            # Its text would contain a part of the password.
            raise ValueError("is not a URL; percent-encode / # ? @ [ ] in its password") from None

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", ["?"])[0]
        name = parts.path.removeprefix("/")
        return f"the PostgreSQL database {name} at {host} (PROMPTOPS_DATABASE_URL)"
