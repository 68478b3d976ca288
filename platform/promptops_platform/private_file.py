"""Files that hold a generated secret."""

import contextlib
import os
import secrets
from pathlib import Path


def create_private(path: Path, text: str) -> None:
    """Write `text` to a new file, unless there is one.

    The file is readable by its owner only from the first moment, and appears complete or not at
    all. When two create it at once, the first one's text stands: read the file afterwards.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename, which would replace the file of whoever was faster.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
