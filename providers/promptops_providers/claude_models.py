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
