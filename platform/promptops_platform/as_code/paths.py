"""The paths of resources in a folder: `prompts/ENV/KEY.prompt`, `agents/KEY.yaml`, and the same for
`workflows/`, `schedules/` and `triggers/`."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from promptops_platform.as_code.resources import KINDS, Identity, Kind

_FOLDERS: dict[str, Kind] = {f"{kind}s": kind for kind in KINDS if kind != "prompt"}
FOLDERS = ("prompts", *_FOLDERS)
_SUFFIXES = (".yaml", ".yml")
PROMPT_SUFFIX = ".prompt"


def path_of(identity: Identity) -> PurePosixPath:
    """Return the path, relative to the folder. Characters that some file systems refuse are
    percent-encoded."""
    name = _encoded(identity.key)
    if identity.kind == "prompt":
        return PurePosixPath("prompts", _encoded(identity.env), f"{name}{PROMPT_SUFFIX}")
    return PurePosixPath(f"{identity.kind}s", f"{name}.yaml")


def identity_of(path: PurePosixPath) -> Identity | None:
    """Return the identity for a path relative to the folder; None for other files."""
    key = unquote(path.stem)
    match path.parts:
        case ("prompts", env, _) if path.suffix == PROMPT_SUFFIX:
            return Identity("prompt", key, unquote(env))
        case (folder, _) if folder in _FOLDERS and path.suffix in _SUFFIXES:
            return Identity(_FOLDERS[folder], key)
    return None


def _encoded(name: str) -> str:
    encoded = "".join(
        character if character.isalnum() else quote(character, safe="-_.@+=,") for character in name
    )
    # Avoids hidden files, and `.` and `..`.
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded
