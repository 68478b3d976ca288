"""The body that a fetch answers."""

import json
from typing import Any

from promptops_platform.prompts.body import CHAT
from promptops_platform.prompts.schemas import ServedPrompt


def answer_body(served: ServedPrompt, **more: Any) -> bytes:
    """The contract's five fields first, then `more` of them, then what a chat or a config adds."""
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
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
