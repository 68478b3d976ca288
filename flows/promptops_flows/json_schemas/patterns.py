"""Regular expressions in schemas: matched in time linear to the text, by RE2."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from promptops_flows.json_schemas.limits import MAX_PATTERN_CHARACTERS, SchemaRefusedError

_MEMORY = 1 << 18
# ECMA-262 writes a character code as \uXXXX or \u{X…}, RE2 as \x{X…}.
_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|.)",
    re.DOTALL,
)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """The compiled pattern; raises `SchemaRefusedError` for one that RE2 doesn't accept."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise SchemaRefusedError(
            f"has a pattern of {len(pattern):,} characters, and the limit is "
            f"{MAX_PATTERN_CHARACTERS:,}; shorten it"
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(_ESCAPE.sub(_in_re2, pattern), options)
    except (re2.error, UnicodeError) as error:
        raise SchemaRefusedError(
            f"is not a JSON Schema: pattern: {pattern!r} can't be matched in linear time, is too "
            "large, or is not a regular expression; write it without look-around, back-references "
            "and large repetitions"
        ) from error


def _in_re2(escape: re.Match[str]) -> str:
    high, low, code, long_code = escape.groups()
    if high is not None:
        return f"\\x{{{0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF):x}}}"
    code = code or long_code
    return f"\\x{{{code}}}" if code is not None else escape[0]
