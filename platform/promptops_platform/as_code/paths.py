"""The path of a resource in a folder: `prompts/ENV/KEY.prompt`, and `agents/KEY.yaml`,
`workflows/`, `schedules/` and `triggers/` likewise."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from promptops_platform.as_code.resources import KINDS, Identity, Kind

_FOLDERS: dict[str, Kind] = {f"{kind}s": kind for kind in KINDS if kind != "prompt"}
FOLDERS = ("prompts", *_FOLDERS)
_SUFFIXES = (".yaml", ".yml")
PROMPT_SUFFIX = ".prompt"


def path_of(identity: Identity) -> PurePosixPath:
    """Relative to the folder. Characters that some file systems refuse are percent-encoded."""
    name = _encoded(identity.key)
    if identity.kind == "prompt":
        return PurePosixPath("prompts", _encoded(identity.env), f"{name}{PROMPT_SUFFIX}")
    return PurePosixPath(f"{identity.kind}s", f"{name}.yaml")


def identity_of(path: PurePosixPath) -> Identity | None:
    """Of a path relative to the folder; None of a file that is something else."""
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
    # No hidden file, and no `.` or `..`.
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded
