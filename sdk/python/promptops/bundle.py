"""The bundle: a saved snapshot that ships with the program."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from promptops.errors import ProtocolError
from promptops.prompt_store import CachedPrompt, FeedPosition
from promptops.prompts import FullPrompt
from promptops.snapshot import parse_snapshot

logger = logging.getLogger("promptops")

BUNDLE = "bundle"


class Bundle:
    """The prompts of a saved snapshot of this environment.

    An invalid file causes a warning and leaves the bundle empty; invalid prompts are skipped.
    """

    def __init__(self, file: str | os.PathLike[str], environment: str) -> None:
        self._prompts: dict[str, FullPrompt] = {}
        self.has_epoch = False
        try:
            snapshot = parse_snapshot(Path(file).read_bytes(), environment, f"the bundle {file}")
        except (OSError, ProtocolError) as error:
            logger.warning("the bundle %s can't be used: %s", file, error)
            return
        self.has_epoch = bool(snapshot.epoch)
        self._prompts = {
            full_prompt.served.fields["key"]: full_prompt for full_prompt in snapshot.prompts
        }

    def read(self, key: str) -> CachedPrompt | None:
        """Return the prompt if it is in the bundle."""
        full_prompt = self._prompts.get(key)
        if full_prompt is None:
            return None
        return CachedPrompt(
            full_prompt, full_prompt.drawn(), BUNDLE, FeedPosition(None, None), None
        )
