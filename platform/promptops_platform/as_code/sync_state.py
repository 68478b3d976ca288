"""The last synchronized state of a folder, which is needed to find out which side has changed. Its
file belongs under version control, together with the others."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptops_platform.as_code.resources import Identity
from promptops_platform.as_code.whole_files import replace_file

MEMORY_FILE = ".promptops.json"
_FORMAT = 1


class FolderError(ValueError):
    """The folder can't be used; the message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Base:
    """The state of a resource when folder and server were last equal: the server's `revision`, and
    the hash of the content."""

    id: str
    revision: int
    hash: str


@dataclass(slots=True)
class ServerState:
    """The state of one workspace of a server, which may have several addresses."""

    addresses: set[str]
    workspace: str
    bases: dict[Identity, Base] = field(default_factory=dict)


class SyncState:
    """Raises FolderError for a damaged file."""

    def __init__(self, root: Path) -> None:
        self._path = root / MEMORY_FILE
        self._servers = self._load()

    def of(self, address: str, workspace: str, ids: Collection[str]) -> ServerState:
        """Return the stored state of the server at that address, or of the one with resources of
        these ids."""
        for server in self._servers:
            is_same = address in server.addresses or any(
                base.id in ids for base in server.bases.values()
            )
            if server.workspace == workspace and is_same:
                server.addresses.add(address)
                return server
        server = ServerState({address}, workspace)
        self._servers.append(server)
        return server

    def save(self) -> None:
        """Write the file."""
        servers = [
            {
                "addresses": sorted(server.addresses),
                "workspace": server.workspace,
                "resources": [
                    {"kind": identity.kind, "key": identity.key, "env": identity.env}
                    | {"id": base.id, "revision": base.revision, "hash": base.hash}
                    for identity, base in sorted(server.bases.items())
                ],
            }
            for server in self._servers
        ]
        text = json.dumps({"format": _FORMAT, "servers": servers}, indent=1, ensure_ascii=False)
        replace_file(self._path, f"{text}\n")

    def _load(self) -> list[ServerState]:
        try:
            sync_state = json.loads(self._path.read_text(encoding="utf-8"))
            if sync_state["format"] != _FORMAT:
                raise FolderError(f"{self._path} was written by a newer release; install that one")
            return [_server(item) for item in sync_state["servers"]]
        except FileNotFoundError:
            return []
        except FolderError:
            raise
        except (ValueError, KeyError, TypeError):
            raise FolderError(
                f"{self._path} is damaged; put it back from version control, or remove it and pull "
                "again"
            ) from None


def _server(item: dict[str, Any]) -> ServerState:
    bases = {
        Identity(row["kind"], row["key"], row["env"]): Base(row["id"], row["revision"], row["hash"])
        for row in item["resources"]
    }
    return ServerState(set(item["addresses"]), item["workspace"], bases)
