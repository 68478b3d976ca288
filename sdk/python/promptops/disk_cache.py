"""The last known good copies of prompts, in the files of a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from promptops.bounded_json import parse_json
from promptops.errors import ProtocolError
from promptops.prompt_store import CachedPrompt, FeedPosition
from promptops.prompts import parse_prompt

logger = logging.getLogger("promptops")

DISK = "disk"
# The SHA-256 covers the text from here to the closing brace of the prompt.
_PROMPT = re.compile(r'"prompt"\s*:\s*(?=\{)')


class DiskCache:
    """The last known good copies, one file for each prompt, shared by the SDKs of all languages.

     `scope` identifies the copies: server, workspace and environment. A folder that can't be
    written causes one warning and no error. Safe between threads and processes, because files are
    replaced atomically.
    """

    def __init__(self, folder: str | os.PathLike[str], *scope: str) -> None:
        self._folder = Path(folder)
        self._scope = scope
        self._warned = False

    def write(self, key: str, entry: CachedPrompt) -> None:
        """Save the copy, replacing the previous one."""
        saved = self.read(key)
        if saved is not None and entry.position.is_before(saved.position):
            # Another process has saved a newer copy.
            return
        prompt = _compact_json(entry.full_prompt.data)
        head = json.dumps(
            {
                "sha256": hashlib.sha256(prompt.encode()).hexdigest(),
                "saved_at": datetime.now(timezone.utc).isoformat(),
                "epoch": entry.position.epoch,
                "revision": entry.position.revision,
            }
        )
        try:
            self._replace(self._path(key), f'{head[:-1]}, "prompt": {prompt}}}')
        except OSError as error:
            self._warn("written", error)

    def remove(self, key: str) -> None:
        """Delete the copy of a prompt that does not exist any more."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self._warn("written", error)

    def read(self, key: str) -> CachedPrompt | None:
        """Return the copy, or None if it is missing or invalid."""
        try:
            text = self._path(key).read_bytes().decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            self._warn("read", error)
            return None
        try:
            return _parse_saved(text, key)
        except (ProtocolError, ValueError) as error:
            logger.warning("a damaged copy of prompt %r is ignored: %s", key, error)
            return None

    def _path(self, key: str) -> Path:
        name = "\n".join((*self._scope, key)).encode("utf-8", "surrogatepass")
        return self._folder / f"{hashlib.sha256(name).hexdigest()}.json"

    def _replace(self, path: Path, content: str) -> None:
        # An existing folder keeps its mode, because others may share it.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self._folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _warn(self, what: str, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("copies in %s can't be %s: %s", self._folder, what, error)


def _compact_json(prompt: dict[str, Any]) -> str:
    """Write JSON in ASCII, which can represent lone surrogates."""
    try:
        return json.dumps(prompt, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(prompt), separators=(",", ":"))


def _finite(value: Any) -> Any:
    """Replace infinite numbers (from 1e999), which JSON can't represent."""
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def _parse_saved(text: str, key: str) -> CachedPrompt:
    match = _PROMPT.search(text)
    end = text.rfind("}", 0, text.rfind("}"))
    if match is None or end < match.end():
        raise ValueError("it is cut off")
    saved, prompt = parse_json(text), text[match.end() : end + 1]
    if not isinstance(saved, dict):
        raise ValueError("it is not an object")
    if hashlib.sha256(prompt.encode()).hexdigest() != saved.get("sha256"):
        raise ValueError("its checksum is wrong")
    full_prompt = parse_prompt(saved.get("prompt"), key)
    revision, epoch = saved.get("revision"), saved.get("epoch")
    position = FeedPosition(
        revision if type(revision) is int else None, epoch if isinstance(epoch, str) else None
    )
    return CachedPrompt(
        full_prompt, full_prompt.drawn(), DISK, position, _confirmed_at(saved.get("saved_at"))
    )


def _confirmed_at(saved_at: Any) -> float | None:
    """Convert the time in the file to this process' monotonic clock."""
    # Before 3.11, Python parses neither a Z nor decimals of any length.
    match = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", str(saved_at)
    )
    if match is None:
        return None
    zone = "+00:00" if match[3] in "Zz" else match[3]
    try:
        at = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").timestamp()
    except ValueError:
        return None
    return time.monotonic() - max(time.time() - at, 0.0)
