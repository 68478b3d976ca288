"""Token counts as OpenAI's two APIs, and the many servers like them, report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptops_providers.answers.estimates import reported_usage
from promptops_providers.answers.json_values import count_at, has_count, object_at
from promptops_providers.protocol import Usage


def chat_usage(reported: Mapping[str, Any]) -> Usage | None:
    """The usage of Chat Completions; None where nothing is reported."""
    return _usage(reported, "prompt_tokens", "completion_tokens")


def responses_usage(reported: Mapping[str, Any]) -> Usage | None:
    """The usage of the Responses API; None where nothing is reported."""
    return _usage(reported, "input_tokens", "output_tokens")


def _usage(reported: Mapping[str, Any], prompt_name: str, output_name: str) -> Usage | None:
    if not (has_count(reported, prompt_name) and has_count(reported, output_name)):
        return None
    prompt, output = count_at(reported, prompt_name), count_at(reported, output_name)
    details = object_at(reported, f"{output_name}_details")
    reasoning = count_at(details, "reasoning_tokens") or count_at(reported, "reasoning_tokens")
    # OpenAI includes the reasoning in the output, others don't: the total tells.
    if reasoning and count_at(reported, "total_tokens") >= prompt + output + reasoning:
        output += reasoning
    return reported_usage(prompt, output, _cached(reported, prompt_name))


def _cached(reported: Mapping[str, Any], prompt_name: str) -> int:
    """DeepSeek and Moonshot have names of their own for it."""
    return (
        count_at(object_at(reported, f"{prompt_name}_details"), "cached_tokens")
        or count_at(reported, "prompt_cache_hit_tokens")
        or count_at(reported, "cached_tokens")
    )
