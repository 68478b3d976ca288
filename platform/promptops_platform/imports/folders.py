"""Reads a folder: files written by `promptops pull`, and loose dotprompt and Prompty files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptops_platform.as_code import front_matter, prompt_files
from promptops_platform.as_code.folder import Folder
from promptops_platform.as_code.paths import FOLDERS
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.sync_state import FolderError
from promptops_platform.as_code.yaml_text import FileError
from promptops_platform.imports import prompty
from promptops_platform.imports.contents import (
    ImportedContents,
    ImportedDefinition,
    ImportedPrompt,
    SourceError,
    key_of,
)

DOTPROMPT, PROMPTY = ".prompt", ".prompty"


def read_folder(root: Path, env: str) -> ImportedContents:
    """Return everything as drafts; prompts without an environment in their files get `env`. Raises
    SourceError, which lists each invalid file."""
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder")
    contents = ImportedContents()
    try:
        resources = Folder(root).read()
    except FolderError as error:
        raise SourceError(str(error)) from error
    mistakes: list[str] = []
    for path in _loose_files(root):
        try:
            identity, content = _parse(path, env, contents.remarks)
        except (FileError, UnicodeDecodeError) as error:
            mistakes.append(f"{path}: {error}")
            continue
        if identity in resources:
            mistakes.append(f"{path}: there is another {identity}; rename one")
        resources[identity] = content
    if mistakes:
        raise SourceError("\n".join(mistakes))
    for identity, content in sorted(resources.items(), key=lambda item: item[0]):
        if identity.kind == "prompt":
            contents.prompts.append(ImportedPrompt(identity, content))
        else:
            contents.definitions.append(ImportedDefinition(identity, content))
    return contents


def _loose_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        is_own = path.relative_to(root).parts[0] in FOLDERS and path.suffix == DOTPROMPT
        if path.suffix in (DOTPROMPT, PROMPTY) and path.is_file() and not is_own:
            yield path


def _parse(path: Path, env: str, remarks: list[str]) -> tuple[Identity, Content]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == PROMPTY:
        name, content = prompty.parse(text)
        return Identity("prompt", key_of(name or path.stem, remarks), env), content
    front = front_matter.split(text).front.values
    grouped = front.get("promptops")
    stated = front.get("promptops.env") or (
        grouped.get("env") if isinstance(grouped, dict) else None
    )
    name, own_env = str(front.get("name") or path.stem), str(stated or env)
    content = prompt_files.parse(text, key=name, env=own_env)
    return Identity("prompt", key_of(name, remarks), own_env), content
