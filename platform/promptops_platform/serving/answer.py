"""The bodies of fetch responses."""

import json
from functools import lru_cache
from typing import Any

from promptops_platform.prompts.body import CHAT, variables_of
from promptops_platform.prompts.schemas import ServedPrompt


def answer_body(served: ServedPrompt, **more: Any) -> bytes:
    """The contract's five fields first, then `more`, then the fields of a chat or a config."""
    fields = {
        "key": served.key,
        "version": served.version,
        "env": served.env,
        "model": served.model,
        "content": served.content,
        **more,
    }
    if served.kind == CHAT:
        fields |= {"kind": served.kind, "messages": served.messages}
    if served.config:
        fields["config"] = served.config
    return encoded(fields)


def rest_of_whole(served: ServedPrompt) -> bytes:
    """Return the members that the full form of a prompt has beyond `answer_body`, each after its
    comma. The text, which is long, is stored only once."""
    fields: dict[str, Any] = {}
    if served.kind != CHAT:
        fields |= {"kind": served.kind, "messages": []}
    if not served.config:
        fields["config"] = {}
    fields["variables"] = variables_of(served)
    return _shared(b"," + encoded(fields)[1:-1])


@lru_cache(maxsize=4096)
def _shared(rest: bytes) -> bytes:
    """Return one object for equal values: thousands of prompts share a few of them."""
    return rest


def variant_object(name: str, weight: int, served: ServedPrompt) -> dict[str, Any]:
    """Return a variant of a rollout, for the full form of its prompt; `weight` is in basis
    points."""
    return {
        "name": name,
        "weight": weight,
        "version": served.version,
        "model": served.model,
        "content": served.content,
        "kind": served.kind,
        "messages": served.messages if served.kind == CHAT else [],
        "config": served.config,
        "variables": variables_of(served),
    }


def encoded(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
