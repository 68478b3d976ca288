"""Prompts with their rollouts, as the server sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast
from unicodedata import normalize

from promptops.bucketing import BASIS_POINTS, bucket_of, choice, ends_of, random_bucket
from promptops.chat import check_messages, own, render_messages
from promptops.errors import ProtocolError
from promptops.templates import Template


class _PromptFields(TypedDict):
    key: str
    version: str
    env: str
    model: str
    content: str
    kind: str
    messages: list[dict[str, Any]]
    config: dict[str, Any]
    variables: list[Any]
    source: str
    revision: int | None
    age: float | None


class Prompt(_PromptFields, total=False):
    """The dict that `get_prompt` returns.

    `source` is ``memory``, ``server``, ``disk``, ``bundle`` or ``default``; `age` is in seconds.
    """

    # Only during a rollout.
    variant: str


class Variant:
    """One version of a prompt that a call can return."""

    __slots__ = ("fields", "template")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.template = Template(fields["content"])

    def messages(self, variables: Mapping[str, Any] | None, strict: bool) -> list[dict[str, Any]]:
        """Render the messages of a chat prompt; a text prompt becomes one message of the user."""
        messages = self.fields["messages"] or [{"role": "user", "content": self.template.text}]
        return render_messages(messages, variables, strict)

    def prompt(self, source: str, revision: int | None, age: float | None) -> Prompt:
        """Return the prompt as a dict that the caller owns."""
        fields = {**own(self.fields), "source": source, "revision": revision, "age": age}
        return cast(Prompt, fields)


@dataclass(frozen=True)
class Rollout:
    """The variants of a rollout, and the end of each variant's range of buckets."""

    salt: str
    ends: tuple[int, ...]
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class FullPrompt:
    """A prompt and its rollout; `data` is the JSON of the server."""

    data: dict[str, Any]
    served: Variant
    rollout: Rollout | None

    def drawn(self) -> Variant:
        """Return the variant for a call without a subject; during a rollout a random one."""
        if self.rollout is None:
            return self.served
        return self.rollout.variants[choice(self.rollout.ends, random_bucket())]

    def of(self, subject: str) -> Variant:
        """Return the variant of this subject, always the same; ValueError if it has no UTF-8."""
        if self.rollout is None:
            return self.served
        bucket = bucket_of(self.rollout.salt, subject)
        return self.rollout.variants[choice(self.rollout.ends, bucket)]


def default_variant(key: str, environment: str, content: str) -> Variant:
    """Return a prompt with the default text of a call."""
    return Variant(_fields({"key": key, "env": environment, "content": content}, {}))


def check_subject(subject: str | None) -> str | None:
    """Return the subject, None for an empty text; TypeError if it is not a text."""
    if subject is not None and not isinstance(subject, str):
        raise TypeError(
            f"the subject must be a text or None, not {type(subject).__name__}; pass str(...) of it"
        )
    return subject or None


def check_default(default: str | None) -> None:
    """Raises TypeError unless it is a text or None."""
    if default is not None and not isinstance(default, str):
        raise TypeError(f"the default must be a text or None, not {type(default).__name__}")


def check_key(key: str) -> None:
    """Raises ValueError for an invalid key, TypeError if it is not a text."""
    if not isinstance(key, str):
        raise TypeError(f"a prompt's key must be a text, not {type(key).__name__}")
    if not is_key(key):
        raise ValueError(
            f"a prompt's key can't be empty, '.' or '..', or have half a surrogate pair: {key!r}"
        )


def is_key(key: str) -> bool:
    """Whether it is a valid key."""
    # Proxies and servers would remove dots from the address.
    return bool(key) and key not in {".", ".."} and is_text(key)


def is_text(text: str) -> bool:
    """Whether it can be encoded in UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def parse_prompt(data: Any, key: str = "") -> FullPrompt:
    """Parse a prompt of a fetch, a snapshot or a file; raises ProtocolError for anything else.

    With `key`, it must be that prompt. Older servers send five fields, and the drawn variant.
    """
    if not isinstance(data, dict):
        raise ProtocolError("the server sent a prompt that is not an object with a field 'content'")
    served = Variant(_fields(data, data))
    sent_key = data.get("key")
    if key and sent_key is not None and not _is_same_key(served.fields["key"], key):
        raise ProtocolError(f"requested {key!r}, the server sent {sent_key!r:.100}")
    rollout = data.get("rollout")
    return FullPrompt(data, served, None if rollout is None else _rollout(rollout, data))


def _is_same_key(key: str, other: str) -> bool:
    """The server may compose letters and their accents (NFC), which are the same text."""
    return key == other or normalize("NFC", key) == normalize("NFC", other)


def _rollout(data: Any, prompt: dict[str, Any]) -> Rollout:
    variants = data.get("variants") if isinstance(data, dict) else None
    if not isinstance(variants, list) or not isinstance(data.get("salt"), str):
        raise ProtocolError("the server sent a rollout without 'salt' and 'variants'")
    weights = [_weight(variant) for variant in variants]
    if sum(weights) != BASIS_POINTS:
        raise ProtocolError(f"the server sent a rollout whose weights add up to {sum(weights)}")
    served = (Variant(_fields(variant, prompt, variant["name"])) for variant in variants)
    return Rollout(data["salt"], ends_of(weights), tuple(served))


def _weight(variant: Any) -> int:
    weight = variant.get("weight") if isinstance(variant, dict) else None
    if type(weight) is int and 0 <= weight <= BASIS_POINTS and isinstance(variant.get("name"), str):
        return weight
    raise ProtocolError("the server sent a variant without 'name' and 'weight'")


def _fields(
    data: dict[str, Any], prompt: dict[str, Any], variant: str | None = None
) -> dict[str, Any]:
    """Return the fields of a prompt, or of a variant of `prompt`."""
    content = data.get("content")
    if not isinstance(content, str):
        raise ProtocolError("the server sent a prompt without the text field 'content'")
    fields: dict[str, Any] = {
        "key": _checked(prompt or data, "key", ""),
        "version": _checked(data, "version", ""),
        "env": _checked(prompt or data, "env", ""),
        "model": _checked(data, "model", ""),
        "content": content,
        "kind": _checked(data, "kind", "text"),
        "messages": _checked(data, "messages", []),
        "config": _checked(data, "config", {}),
        "variables": _checked(data, "variables", []),
    }
    check_messages(fields["messages"])
    variant_name = variant if variant is not None else data.get("variant")
    if isinstance(variant_name, str):
        fields["variant"] = variant_name
    return fields


def _checked(data: dict[str, Any], name: str, missing: Any) -> Any:
    value = data.get(name)
    if value is None:
        return missing
    if not isinstance(value, type(missing)):
        raise ProtocolError(f"the server sent a prompt whose field {name!r} is {value!r:.100}")
    return value
