"""A vendor's words against a request, read for what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST_WORDS = 4_000
_DEEPEST = 8
# They repeat what was sent.
_ECHOES = ("input", "ctx")
# Where OpenAI, FastAPI's validation and Google's `BadRequest` say which field they mean.
_POINTERS = ("param", "loc", "field")
_REFUSAL = re.compile(
    r"unsupported|n[o']t support|unavailable|not (?:be )?(?:available|permitted|allowed|accepted"
    r"|enabled|implemented|recogni[sz]ed)|unknown|unrecogni[sz]ed|unexpected|undefined|deprecated"
    r"|no longer|extra[ _](?:inputs|fields|forbidden)|only the default|can ?not find field"
    r"|(?:cannot|can't) (?:both |be (?:both|used|set|combined|specified))"
    r"|(?:may|must|can) only be|incompatible|not a valid (?:parameter|field|argument|property|role)"
    r"|invalid (?:parameter|argument|role|response_format)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """`pointers` are the fields that the vendor names as such, `words` all that it says besides,
    each of them on a line, and `sent` is the body that was refused."""

    pointers: str
    words: str
    sent: Mapping[str, Any]

    @classmethod
    def of(cls, answer: Mapping[str, Any], sent: Mapping[str, Any]) -> Rejection:
        texts = list(_texts("", answer, 0))
        return cls(
            "\n".join(text for name, text in texts if name in _POINTERS)[:_LONGEST_WORDS],
            "\n".join(text for name, text in texts if name not in _POINTERS)[:_LONGEST_WORDS],
            sent,
        )

    @property
    def is_refusal(self) -> bool:
        """Whether something is refused as such, rather than its value."""
        return _REFUSAL.search(self.words) is not None

    @property
    def places(self) -> tuple[str, str]:
        """Where to look for what is refused, the surest place first."""
        return self.pointers, self.words


def _texts(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """All texts with the name below which they are; the parts of a `loc` are one path."""
    if isinstance(value, str):
        yield name, value
    elif depth >= _DEEPEST:
        return
    elif isinstance(value, list):
        if name == "loc":
            yield name, ".".join(str(part) for part in value)
            return
        for item in value:
            yield from _texts(name, item, depth + 1)
    elif isinstance(value, Mapping):
        for inner, item in value.items():
            if inner not in _ECHOES:
                yield from _texts(inner, item, depth + 1)
