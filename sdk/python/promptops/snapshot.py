"""Snapshots of an environment, from the server or a bundle file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promptops.bounded_json import MOST_CONTAINERS_OF_SNAPSHOT, parse_json
from promptops.errors import ProtocolError
from promptops.prompts import FullPrompt, check_key, parse_prompt

logger = logging.getLogger("promptops")


@dataclass(frozen=True)
class Snapshot:
    """The prompts of an environment; `epoch` is empty if there is none."""

    epoch: str
    prompts: Iterator[FullPrompt]


def parse_snapshot(content: bytes, environment: str, name: str) -> Snapshot:
    """Parse a snapshot; invalid prompts are logged and skipped.

    Raises ProtocolError if it is not a snapshot of this environment.
    """
    snapshot = parse_json(content, MOST_CONTAINERS_OF_SNAPSHOT)
    prompts = snapshot.get("prompts") if isinstance(snapshot, dict) else None
    if not isinstance(prompts, list):
        raise ProtocolError(f"{name} is not a snapshot: it has no list 'prompts'")
    of, epoch = snapshot.get("env"), snapshot.get("epoch")
    if isinstance(of, str) and of != environment:
        raise ProtocolError(f"{name} is of the environment {of!r}, not {environment!r}")
    return Snapshot(epoch if isinstance(epoch, str) else "", _valid_prompts(prompts, name))


def _valid_prompts(prompts: list[Any], name: str) -> Iterator[FullPrompt]:
    for number, prompt in enumerate(prompts):
        full_prompt = _valid_prompt(prompt, f"prompt {number} of {name}")
        if full_prompt is not None:
            yield full_prompt


def _valid_prompt(prompt: Any, name: str) -> FullPrompt | None:
    try:
        full_prompt = parse_prompt(prompt)
        check_key(full_prompt.served.fields["key"])
    except (ProtocolError, ValueError) as error:
        logger.warning("%s is skipped: %s", name, error)
        return None
    return full_prompt
