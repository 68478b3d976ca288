"""A snapshot of an environment, as the server sends it or as a bundle file has it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promptops.bounded_json import MOST_CONTAINERS_OF_SNAPSHOT, parse_json
from promptops.errors import ProtocolError
from promptops.prompts import Whole, check_key, parse_prompt

logger = logging.getLogger("promptops")


@dataclass(frozen=True)
class Snapshot:
    """The prompts of an environment; `epoch` is empty where none was sent."""

    epoch: str
    prompts: Iterator[Whole]


def parse_snapshot(content: bytes, environment: str, name: str) -> Snapshot:
    """The prompts without those that are invalid, which are logged.

    Raises ProtocolError for what is not a snapshot of this environment.
    """
    snapshot = parse_json(content, MOST_CONTAINERS_OF_SNAPSHOT)
    prompts = snapshot.get("prompts") if isinstance(snapshot, dict) else None
    if not isinstance(prompts, list):
        raise ProtocolError(f"{name} is not a snapshot: it has no list 'prompts'")
    of, epoch = snapshot.get("env"), snapshot.get("epoch")
    if isinstance(of, str) and of != environment:
        raise ProtocolError(f"{name} is of the environment {of!r}, not {environment!r}")
    return Snapshot(epoch if isinstance(epoch, str) else "", _valid_prompts(prompts, name))


def _valid_prompts(prompts: list[Any], name: str) -> Iterator[Whole]:
    for number, prompt in enumerate(prompts):
        whole = _valid_prompt(prompt, f"prompt {number} of {name}")
        if whole is not None:
            yield whole


def _valid_prompt(prompt: Any, name: str) -> Whole | None:
    try:
        whole = parse_prompt(prompt)
        check_key(whole.served.fields["key"])
    except (ProtocolError, ValueError) as error:
        logger.warning("%s is skipped: %s", name, error)
        return None
    return whole
