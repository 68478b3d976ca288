"""Token counts: those that a vendor reports, and ours for answers without."""

from __future__ import annotations

from typing import Any

from promptops_providers.protocol import CompletionRequest, Usage

CHARACTERS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """One token for every four characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def estimated_usage(request: CompletionRequest, answer: str) -> Usage:
    prompt_tokens = sum(estimate_tokens(message.content) for message in request.messages)
    return Usage(prompt_tokens, estimate_tokens(answer), estimated=True)


def reported_usage(prompt: Any, output: Any, cached: Any = 0) -> Usage | None:
    """None where the vendor reports nothing, or only zeros as some servers do for nothing."""
    if not isinstance(prompt, int) or not isinstance(output, int) or prompt + output <= 0:
        return None
    return Usage(prompt, output, estimated=False, cached_tokens=cached or 0)
