"""Copies of prompts in files: the last known good ones of a folder, and the bundle."""

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
from promptops.memory import Known, Stamp
from promptops.prompts import Whole, parse_prompt
from promptops.snapshot import parse_snapshot

logger = logging.getLogger("promptops")

DISK, BUNDLE = "disk", "bundle"
# The SHA-256 is of the text between here and the closing brace of the file.
_PROMPT = re.compile(r'"prompt"\s*:\s*(?=\{)')


class Disk:
    """The last known good copies, a file for each prompt, which the SDKs of all languages share.

    `place` names what the copies are of: server, workspace and environment. A folder that can't
    be written is warned of once, and is no reason to fail. Safe between threads and processes:
    files are replaced as a whole.
    """

    def __init__(self, folder: str | os.PathLike[str], *place: str) -> None:
        self._folder = Path(folder)
        self._place = place
        self._warned = False

    def write(self, key: str, known: Known) -> None:
        """Save the copy, instead of the one of before."""
        saved = self.read(key)
        if saved is not None and known.stamp.is_before(saved.stamp):
            # Another process had an answer of a later state.
            return
        prompt = _written(known.whole.data)
        head = json.dumps(
            {
                "sha256": hashlib.sha256(prompt.encode()).hexdigest(),
                "saved_at": datetime.now(timezone.utc).isoformat(),
                "epoch": known.stamp.epoch,
                "revision": known.stamp.revision,
            }
        )
        try:
            self._replace(self._path(key), f'{head[:-1]}, "prompt": {prompt}}}')
        except OSError as error:
            self._warn("written", error)

    def remove(self, key: str) -> None:
        """There is no such prompt any more."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self._warn("written", error)

    def read(self, key: str) -> Known | None:
        """The copy, or None if there is none that is whole and right."""
        try:
            text = self._path(key).read_bytes().decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            self._warn("read", error)
            return None
        try:
            return _read(text, key)
        except (ProtocolError, ValueError) as error:
            logger.warning("a damaged copy of prompt %r is ignored: %s", key, error)
            return None

    def _path(self, key: str) -> Path:
        name = "\n".join((*self._place, key)).encode("utf-8", "surrogatepass")
        return self._folder / f"{hashlib.sha256(name).hexdigest()}.json"

    def _replace(self, path: Path, content: str) -> None:
        # A folder that was there already keeps its mode: others may share it.
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


class Bundle:
    """The prompts of a saved snapshot of this environment.

    A file that is none is warned of, and holds nothing; of one with prompts that are none, the
    others are used.
    """

    def __init__(self, file: str | os.PathLike[str], environment: str) -> None:
        self._prompts: dict[str, Whole] = {}
        self.has_epoch = False
        try:
            snapshot = parse_snapshot(Path(file).read_bytes(), environment, f"the bundle {file}")
        except (OSError, ProtocolError) as error:
            logger.warning("the bundle %s can't be used: %s", file, error)
            return
        self.has_epoch = bool(snapshot.epoch)
        self._prompts = {whole.served.fields["key"]: whole for whole in snapshot.prompts}

    def read(self, key: str) -> Known | None:
        """The prompt, if it is in the bundle."""
        whole = self._prompts.get(key)
        if whole is None:
            return None
        return Known(whole, whole.drawn(), BUNDLE, Stamp(None, None), None)


def _written(prompt: dict[str, Any]) -> str:
    """As JSON, in ASCII, so that lone surrogates can be written too."""
    try:
        return json.dumps(prompt, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(prompt), separators=(",", ":"))


def _finite(value: Any) -> Any:
    """Numbers too large for a double (1e999) became infinite, which JSON can't say."""
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def _read(text: str, key: str) -> Known:
    found = _PROMPT.search(text)
    end = text.rfind("}", 0, text.rfind("}"))
    if found is None or end < found.end():
        raise ValueError("it is cut off")
    saved, prompt = parse_json(text), text[found.end() : end + 1]
    if not isinstance(saved, dict):
        raise ValueError("it is no object")
    if hashlib.sha256(prompt.encode()).hexdigest() != saved.get("sha256"):
        raise ValueError("it is not what was written")
    whole = parse_prompt(saved.get("prompt"), key)
    revision, epoch = saved.get("revision"), saved.get("epoch")
    stamp = Stamp(
        revision if type(revision) is int else None, epoch if isinstance(epoch, str) else None
    )
    return Known(whole, whole.drawn(), DISK, stamp, _confirmed_at(saved.get("saved_at")))


def _confirmed_at(saved_at: Any) -> float | None:
    """The time in the file, on this process' own clock."""
    # Before 3.11 Python reads neither a Z nor any number of decimals.
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", str(saved_at)
    )
    if found is None:
        return None
    zone = "+00:00" if found[3] in "Zz" else found[3]
    try:
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}").timestamp()
    except ValueError:
        return None
    return time.monotonic() - max(time.time() - at, 0.0)
