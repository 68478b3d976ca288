"""In what Claude's models differ, as far as a request must know it.

https://platform.claude.com/docs/en/models/overview and the migration guides there, 2026-11.
"""

from __future__ import annotations

import re

# Thinking counts against the limit too, so it must not be small. Models that write less than this:
_MAX_TOKENS = 32_000
_SMALLER_LIMITS = (("claude-3-5-", 8_192), ("claude-3-7-", 32_000), ("claude-3-", 4_096))
# The models before Opus 5.5 and Fable 5.1. From these on, a call of a tool cannot be enforced, and
# thinking is taken back only after the very conversation that it came from.
_LENIENT = re.compile(
    r"claude-(?:[23]|instant|(?:opus|sonnet|haiku|fable|mythos)-(?:4(?!\d)|5$))", re.ASCII
)
# Structured outputs came with the 4.5 models.
_LACKS_SCHEMAS = re.compile(
    r"claude-(?:[23]|instant|(?:opus|sonnet)-4(?:-[01])?(?:-\d{8}|$))", re.ASCII
)
# Both of `temperature` and `top_p` at once went with 4.1, the prefill of an answer with 4.6, all of
# sampling with Opus 4.7.
_SAMPLING = re.compile(
    r"claude-(?:[23]|instant|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-\d{8}|$))", re.ASCII
)
_BOTH = re.compile(r"claude-(?:[23]|instant|(?:opus|sonnet)-4(?:-0)?(?:-\d{8}|$))", re.ASCII)
_PREFILL = re.compile(
    r"claude-(?:[23]|instant|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:-\d{8}|$))", re.ASCII
)


def default_max_tokens(model: str) -> int:
    for prefix, limit in _SMALLER_LIMITS:
        if model.startswith(prefix):
            return limit
    return _MAX_TOKENS


def is_lenient(model: str) -> bool:
    """Whether it takes forced tools, and thinking after another conversation. Another vendor's
    model behind the same API is thought to."""
    return not model.startswith("claude-") or _LENIENT.match(model) is not None


def takes_schemas(model: str) -> bool:
    return _LACKS_SCHEMAS.match(model) is None


def takes_sampling(model: str) -> bool:
    """Whether `temperature`, `top_p` and `top_k` may be set. Another vendor's model behind the same
    API is thought to take them, and what follows."""
    return _is_lenient_by(_SAMPLING, model)


def takes_one_sampling(model: str) -> bool:
    """Whether `temperature` and `top_p` exclude each other."""
    return not _is_lenient_by(_BOTH, model)


def takes_prefill(model: str) -> bool:
    """Whether it goes on with an answer that has begun."""
    return _is_lenient_by(_PREFILL, model)


def _is_lenient_by(pattern: re.Pattern[str], model: str) -> bool:
    return not model.startswith("claude-") or pattern.match(model) is not None
