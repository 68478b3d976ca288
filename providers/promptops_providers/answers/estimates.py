"""Token counts: those that a vendor reports, and ours for answers without."""

from __future__ import annotations

from promptops_providers.answers.json_values import MAX_COUNT
from promptops_providers.protocol import CompletionRequest, Usage

CHARACTERS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """One token for every four characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def estimated_usage(request: CompletionRequest, answer: str) -> Usage:
    prompt_tokens = sum(estimate_tokens(message.content) for message in request.messages)
    return Usage(prompt_tokens, estimate_tokens(answer), estimated=True)


def reported_usage(prompt: int, output: int, cached: int = 0) -> Usage | None:
    """None where the vendor reports nothing, or only zeros as some servers do for nothing. The
    counts are as `count_at` reads them, or sums of such."""
    if prompt + output <= 0:
        return None
    prompt, output = min(prompt, MAX_COUNT), min(output, MAX_COUNT)
    return Usage(prompt, output, estimated=False, cached_tokens=min(cached, prompt))
