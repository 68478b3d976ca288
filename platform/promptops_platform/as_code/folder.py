"""A folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from promptops_platform.as_code import definition_files, prompt_files
from promptops_platform.as_code.paths import FOLDERS, identity_of, path_of
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.sync_state import FolderError, SyncState
from promptops_platform.as_code.whole_files import replace_file
from promptops_platform.as_code.yaml_text import FileError


class Folder:
    """Reads and writes the files below `root`. Other files are left alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.sync_state = SyncState(root)

    def read(self) -> dict[Identity, Content]:
        """Return all resources. Raises FolderError, which lists each invalid file."""
        contents: dict[Identity, Content] = {}
        places: dict[Identity, PurePosixPath] = {}
        mistakes: list[str] = []
        for path in self._paths():
            identity = identity_of(path)
            if identity is None:
                continue
            if identity in places:
                mistakes.append(f"{path}: is the same {identity} as {places[identity]}; remove one")
                continue
            places[identity] = path
            try:
                contents[identity] = self._parse(path, identity)
            except (FileError, UnicodeDecodeError) as error:
                mistakes.append(f"{path}: {error}")
        if mistakes:
            raise FolderError("\n".join(mistakes))
        return contents

    def write(self, identity: Identity, content: Content) -> None:
        """Write its file atomically."""
        replace_file(self._root / path_of(identity), text_of(identity, content))

    def remove(self, identity: Identity) -> None:
        """Delete its file."""
        (self._root / path_of(identity)).unlink(missing_ok=True)

    def _parse(self, path: PurePosixPath, identity: Identity) -> Content:
        text = (self._root / path).read_text(encoding="utf-8")
        if identity.kind == "prompt":
            return prompt_files.parse(text, key=identity.key, env=identity.env)
        return definition_files.parse(text, identity.kind, key=identity.key)

    def _paths(self) -> Iterator[PurePosixPath]:
        for folder in FOLDERS:
            for path in sorted((self._root / folder).rglob("*")):
                if path.is_file():
                    yield PurePosixPath(path.relative_to(self._root).as_posix())


def text_of(identity: Identity, content: Content) -> str:
    """Return the file of a resource."""
    write = prompt_files.write if identity.kind == "prompt" else definition_files.write
    return write(identity, content)
