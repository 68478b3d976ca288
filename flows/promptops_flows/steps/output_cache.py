"""Caches outputs of steps that allow it, for the duration that they specify.

The cache exists only in the engine's memory, so that texts of runs aren't stored unencrypted. A
restart empties it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from promptops_flows.steps.context import StepOutput

MAX_CHARACTERS = 32 * 1024 * 1024


class OutputCache:
    """Evicts the least recently used outputs when their total length exceeds the limit."""

    def __init__(
        self, max_characters: int = MAX_CHARACTERS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = max_characters
        self._clock = clock
        self._characters = 0
        self._outputs: OrderedDict[str, tuple[float, StepOutput]] = OrderedDict()

    def get(self, key: str) -> StepOutput | None:
        """The output, unless it has expired."""
        entry = self._outputs.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            self._drop(key)
            return None
        self._outputs.move_to_end(key)
        return entry[1]

    def put(self, key: str, output: StepOutput, seconds: float) -> None:
        """Cache the output for `seconds`."""
        self._drop(key)
        self._outputs[key] = (self._clock() + seconds, output)
        self._characters += _size(output)
        while self._characters > self._most:
            self._drop(next(iter(self._outputs)))

    def _drop(self, key: str) -> None:
        entry = self._outputs.pop(key, None)
        if entry is not None:
            self._characters -= _size(entry[1])


def cache_key(*parts: Any) -> str:
    """A digest of JSON values and of objects whose repr is complete."""
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _size(output: StepOutput) -> int:
    # A value is about as long as its text.
    return 2 * len(output.text) + 200
