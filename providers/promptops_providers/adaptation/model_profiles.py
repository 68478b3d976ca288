"""What today's models are known to refuse, so that it is left out before it is sent.

https://developers.openai.com/api/docs/guides/latest-model and
https://platform.claude.com/docs/en/models/overview with its migration guides, 2026-11. What is not
known here, an error tells: see `adapting.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptops_providers.claude.models import takes_one_sampling, takes_prefill, takes_sampling
from promptops_providers.protocol import CompletionRequest, Message

_CLAUDE_SAMPLING = ("temperature", "top_p", "top_k")
_OPENAI_SAMPLING = ("temperature", "top_p", "top_logprobs", "logprobs")
# Chat Completions only, where these models take no tools.
_CHAT_ONLY = ("seed", "stop")
# The models that reason whatever is asked of them, or unless their effort is set to none.
_REASONS = re.compile(r"(?:o\d|gpt-5(?![.\d])|gpt-(?:[6-9]|\d\d))(?!.*chat)", re.ASCII)
# These reason only when they are asked to.
_MAY_REASON = re.compile(r"gpt-5\.\d(?!.*chat)", re.ASCII)


def refused_parameters(
    kind: str, model: str, request: CompletionRequest, *, at_vendor: bool
) -> frozenset[str]:
    """Those of the request's parameters that the model refuses; `at_vendor` where it is called at
    its vendor's own address."""
    parameters = {name for name, value in request.parameters.items() if value is not None}
    if kind == "claude":
        refused = {"seed", *_refused_by_claude(model, parameters)}
    elif kind == "openai":
        refused = _refused_by_openai(model, request, at_vendor)
    else:
        refused = set()
    return frozenset(parameters & refused)


def refuses_prefill(kind: str, model: str, request: CompletionRequest) -> bool:
    """Whether the conversation ends with the beginning of an answer, which the model does not take
    up."""
    return kind == "claude" and has_prefill(request) and not takes_prefill(model)


def has_prefill(request: CompletionRequest) -> bool:
    last = request.messages[-1] if request.messages else Message("user", "")
    is_beginning = last.role == "assistant" and not last.tool_calls
    return is_beginning and any(message.role == "user" for message in request.messages)


def _refused_by_claude(model: str, parameters: set[str]) -> set[str]:
    if not takes_sampling(model):
        return set(_CLAUDE_SAMPLING)
    takes_one = takes_one_sampling(model) and "temperature" in parameters
    return {"top_p"} if takes_one else set()


def _refused_by_openai(model: str, request: CompletionRequest, at_vendor: bool) -> set[str]:
    effort = _effort(request.parameters)
    if effort == "none":
        return set()
    reasons = _REASONS.match(model) is not None
    if not reasons and not (effort and _MAY_REASON.match(model)):
        return set()
    in_responses = request.tools and reasons and at_vendor
    return {*_OPENAI_SAMPLING, *(_CHAT_ONLY if in_responses else ())}


def _effort(parameters: Mapping[str, Any]) -> Any:
    reasoning = parameters.get("reasoning")
    nested = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return parameters.get("reasoning_effort") or nested
