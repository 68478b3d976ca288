"""Which texts of a run may be stored, by the settings: see
`promptops_flows.telemetry.text_policy`."""

import asyncio
import itertools
import json
from typing import Any, Literal

from promptops_flows.telemetry.text_policy import TextPolicy, check_kinds, check_patterns
from promptops_platform.errors import StartRefused
from promptops_providers.answers.storable_texts import storable, storable_json

# Longer texts are searched on a thread, so that other requests don't wait.
LONG_TEXT = 65_536


def policy_of(*, texts: Literal["full", "none"], kinds: str, patterns: str) -> TextPolicy:
    """Return the configured policy; raises StartRefused for invalid settings."""
    names = tuple(sorted({name.strip().lower() for name in kinds.split(",")} - {""}))
    setting = "PROMPTOPS_RUN_REDACT"
    try:
        check_kinds(names)
        setting = "PROMPTOPS_RUN_REDACT_PATTERNS"
        own = _listed(patterns)
        check_patterns(own)
    except ValueError as error:
        raise StartRefused(f"{setting}: {error}") from error
    return TextPolicy(texts, names, own)


class StoredTexts:
    """Applies the policy to what is written to the database."""

    def __init__(self, policy: TextPolicy) -> None:
        self.policy = policy

    async def text(self, value: str | None) -> str | None:
        """Return what is stored of a text that is a run's input or output."""
        if value is None:
            return None
        if len(value) > LONG_TEXT:
            return await asyncio.to_thread(self._text, value)
        return self._text(value)

    async def inputs(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return what is stored of a JSON object."""
        if value is None or not self.policy.keeps_texts:
            return None
        if _room_after(value, LONG_TEXT) > 0:
            return dict(self._json(value))
        return dict(await asyncio.to_thread(self._json, value))

    async def error(self, sentence: str, summary: str | None) -> str:
        """Return what is stored of an error; `summary` is the error without quoted text."""
        if len(sentence) > LONG_TEXT:
            return await asyncio.to_thread(self._error, sentence, summary)
        return self._error(sentence, summary)

    def name(self, value: str, public: str | None = None) -> str:
        """Return what is stored of a step's name; `public` is the name without parts that a model
        made up."""
        return storable(self.policy.stored(value, public))

    def label(self, value: str, longest: int) -> str:
        """Shorten a name that may come from a vendor, such as a model's, to what an index can
        store."""
        return storable(self.policy.label(value))[:longest]

    def _text(self, value: str) -> str | None:
        text = self.policy.text(storable(value))
        return None if text is None else storable(text)

    def _json(self, value: Any) -> Any:
        return storable_json(self.policy.json(storable_json(value)))

    def _error(self, sentence: str, summary: str | None) -> str:
        return storable(self.policy.stored(sentence, summary))


def _room_after(value: Any, room: int) -> int:
    """Return how many of `room` characters are left after the value; stops counting at zero, so
    that a larger value takes no longer."""
    if isinstance(value, dict):
        value = [*itertools.islice(value.items(), room)]
    if isinstance(value, list | tuple):
        for part in value:
            if room <= 0:
                break
            room = _room_after(part, room - 1)
        return room
    return room - (len(value) if isinstance(value, str) else 1)


def _listed(patterns: str) -> tuple[str, ...]:
    if not patterns.strip():
        return ()
    try:
        listed = json.loads(patterns)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'is not JSON ({error}); write a list, ["..."]') from error
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise ValueError('must be a JSON list of texts, ["..."]')
    return tuple(listed)
