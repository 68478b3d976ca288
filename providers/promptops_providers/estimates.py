"""Token counts for answers whose vendor reports none."""

from __future__ import annotations

from promptops_providers.protocol import CompletionRequest, Usage

CHARACTERS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """One token for every four characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def estimated_usage(request: CompletionRequest, answer: str) -> Usage:
    prompt_tokens = sum(estimate_tokens(message.content) for message in request.messages)
    return Usage(prompt_tokens, estimate_tokens(answer), estimated=True)
