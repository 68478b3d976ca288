"""In what servers that speak one wire format differ, and what is usual at which host."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import httpx

LimitParameter = Literal["max_tokens", "max_completion_tokens"]
StructuredOutput = Literal["json_schema", "json_object", "instruction"]


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What a server takes; None where the usual counts.

    `stream_options` asks for the usage of a stream, `limit_parameter` names the limit of an answer,
    `developer_role` is false where that role goes as `system`. `structured_output` says how an
    output schema is given: as itself, as JSON mode and words, or in words alone.
    `tool_call_id_length` is the length of ids that hold letters and digits only, and
    `returns_reasoning` whether the reasoning of earlier answers is sent back.
    """

    stream_options: bool | None = None
    limit_parameter: LimitParameter | None = None
    developer_role: bool | None = None
    structured_output: StructuredOutput | None = None
    tool_call_id_length: int | None = None
    returns_reasoning: bool | None = None

    def over(self, usual: Compatibility) -> Compatibility:
        """This one, with `usual` for what it leaves open."""
        own = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return replace(usual, **own)

    @property
    def wants_words(self) -> bool:
        """Whether an API without a JSON mode of its own gets a schema in words alone."""
        return self.structured_output in ("json_object", "instruction")


_NAMES = tuple(field.name for field in fields(Compatibility))
UNKNOWN = Compatibility()
_OPENAI = Compatibility(limit_parameter="max_completion_tokens", developer_role=True)
_JSON_MODE = Compatibility(structured_output="json_object")
# By the vendors' API references, 2026-11.
_HOSTS = {
    "api.openai.com": _OPENAI,
    "openai.azure.com": _OPENAI,
    "api.anthropic.com": Compatibility(structured_output="instruction"),
    "api.cerebras.ai": Compatibility(limit_parameter="max_completion_tokens"),
    "api.deepseek.com": _JSON_MODE,
    "api.groq.com": Compatibility(limit_parameter="max_completion_tokens"),
    # It reports the usage of a stream by itself.
    "api.mistral.ai": Compatibility(stream_options=False, tool_call_id_length=9),
    "api.moonshot.ai": _JSON_MODE,
    "api.moonshot.cn": _JSON_MODE,
    "api.z.ai": _JSON_MODE,
    "dashscope.aliyuncs.com": _JSON_MODE,
    "dashscope-intl.aliyuncs.com": _JSON_MODE,
    "open.bigmodel.cn": _JSON_MODE,
}


def usual_at(base_url: str | None) -> Compatibility:
    """What the host of that address takes, as far as its vendor documents it."""
    try:
        host = httpx.URL(base_url or "").host
    except httpx.InvalidURL:
        return UNKNOWN  # refused with a sentence as soon as it is called
    parts = host.split(".")
    domains = (".".join(parts[first:]) for first in range(len(parts)))
    return next((_HOSTS[domain] for domain in domains if domain in _HOSTS), UNKNOWN)
