"""A prompt as the server sends it: with its rollout, every variant ready to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast
from unicodedata import normalize

from promptops.bucketing import BASIS_POINTS, bucket_of, choice, drawn_bucket, ends_of
from promptops.errors import MissingVariableError, ProtocolError
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
    """What `get_prompt` returns: a dict.

    `source` is ``memory``, ``server``, ``disk``, ``bundle`` or ``default``; `age` is in seconds.
    """

    # While a rollout is on.
    variant: str


class Variant:
    """One state that a program can be served."""

    __slots__ = ("fields", "template")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.template = Template(fields["content"])

    def messages(self, variables: Mapping[str, Any] | None, strict: bool) -> list[dict[str, Any]]:
        """The messages of a chat prompt, rendered; a text prompt is one message of the user."""
        messages = self.fields["messages"] or [{"role": "user", "content": self.template.text}]
        templates = [Template(message["content"]) for message in messages]
        if strict:
            _check_complete(templates, variables or {})
        return [
            {**own(message), "content": template.render(variables)}
            for message, template in zip(messages, templates, strict=True)
        ]

    def prompt(self, source: str, revision: int | None, age: float | None) -> Prompt:
        """What the caller gets, as its own."""
        fields = {**own(self.fields), "source": source, "revision": revision, "age": age}
        return cast(Prompt, fields)


@dataclass(frozen=True)
class Rollout:
    """The variants, and where the range of buckets of each ends."""

    salt: str
    ends: tuple[int, ...]
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Whole:
    """A prompt and its rollout; `data` is what came."""

    data: dict[str, Any]
    served: Variant
    rollout: Rollout | None

    def drawn(self) -> Variant:
        """What one without a subject gets: of a rollout, a variant at random."""
        if self.rollout is None:
            return self.served
        return self.rollout.variants[choice(self.rollout.ends, drawn_bucket())]

    def of(self, subject: str) -> Variant:
        """What this subject gets, always the same; ValueError for one that has no UTF-8."""
        if self.rollout is None:
            return self.served
        bucket = bucket_of(self.rollout.salt, subject)
        return self.rollout.variants[choice(self.rollout.ends, bucket)]


def default_variant(key: str, environment: str, content: str) -> Variant:
    """A prompt made of the text that the caller falls back on."""
    return Variant(_fields({"key": key, "env": environment, "content": content}, {}))


def check_subject(subject: str | None) -> str | None:
    """The subject, None for the empty text as on the server; TypeError for what is not a text."""
    if subject is not None and not isinstance(subject, str):
        raise TypeError(
            f"the subject must be a text or None, not {type(subject).__name__}; pass str(...) of it"
        )
    return subject or None


def check_default(default: str | None) -> None:
    """Raises TypeError for what is neither a text nor None."""
    if default is not None and not isinstance(default, str):
        raise TypeError(f"the default must be a text or None, not {type(default).__name__}")


def check_key(key: str) -> None:
    """Raises ValueError for what can't be a key, TypeError for what is not a text."""
    if not isinstance(key, str):
        raise TypeError(f"a prompt's key must be a text, not {type(key).__name__}")
    if not is_key(key):
        raise ValueError(
            f"a prompt's key can't be empty, '.' or '..', or have half a surrogate pair: {key!r}"
        )


def is_key(key: str) -> bool:
    """Whether a prompt can be asked for by it."""
    # Dots would be taken out of the address by whatever stands between.
    return bool(key) and key not in {".", ".."} and is_text(key)


def is_text(text: str) -> bool:
    """Whether it can be written in UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def parse_prompt(data: Any, key: str = "") -> Whole:
    """A prompt of a fetch, a snapshot or a file; ProtocolError for anything else.

    It has to be the prompt `key`, if one is given. Servers of before send five fields, and the
    variant that they drew.
    """
    if not isinstance(data, dict):
        raise ProtocolError("the server sent a prompt that is no object with a field 'content'")
    served = Variant(_fields(data, data))
    sent = data.get("key")
    if key and sent is not None and not _is_same_key(served.fields["key"], key):
        raise ProtocolError(f"asked for {key!r}, the server sent {sent!r:.100}")
    rollout = data.get("rollout")
    return Whole(data, served, None if rollout is None else _rollout(rollout, data))


def _is_same_key(key: str, other: str) -> bool:
    """The server may compose letters and their accents, which are the same text (NFC)."""
    return key == other or normalize("NFC", key) == normalize("NFC", other)


def own(value: Any) -> Any:
    """A copy of JSON data that shares nothing with it."""
    if isinstance(value, dict):
        return {name: own(member) for name, member in value.items()}
    return [own(item) for item in value] if isinstance(value, list) else value


def _rollout(data: Any, prompt: dict[str, Any]) -> Rollout:
    variants = data.get("variants") if isinstance(data, dict) else None
    if not isinstance(variants, list) or not isinstance(data.get("salt"), str):
        raise ProtocolError("the server sent a rollout without 'salt' and 'variants'")
    weights = [_weight(variant) for variant in variants]
    if sum(weights) != BASIS_POINTS:
        raise ProtocolError(f"the server sent a rollout whose weights add up to {sum(weights)}")
    served = (Variant(_fields(each, prompt, each["name"])) for each in variants)
    return Rollout(data["salt"], ends_of(weights), tuple(served))


def _weight(variant: Any) -> int:
    weight = variant.get("weight") if isinstance(variant, dict) else None
    if type(weight) is int and 0 <= weight <= BASIS_POINTS and isinstance(variant.get("name"), str):
        return weight
    raise ProtocolError("the server sent a variant without 'name' and 'weight'")


def _fields(
    data: dict[str, Any], prompt: dict[str, Any], variant: str | None = None
) -> dict[str, Any]:
    """The fields that a caller gets, of a prompt or of a variant of `prompt`."""
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
    for message in fields["messages"]:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise ProtocolError("the server sent a chat message without the text field 'content'")
    named = variant if variant is not None else data.get("variant")
    if isinstance(named, str):
        fields["variant"] = named
    return fields


def _checked(data: dict[str, Any], name: str, missing: Any) -> Any:
    value = data.get(name)
    if value is None:
        return missing
    if not isinstance(value, type(missing)):
        raise ProtocolError(f"the server sent a prompt whose field {name!r} is {value!r:.100}")
    return value


def _check_complete(templates: list[Template], variables: Mapping[str, Any]) -> None:
    names = [name for template in templates for name in template.names]
    missing = [name for name in names if variables.get(name) is None]
    if missing:
        raise MissingVariableError(list(dict.fromkeys(missing)))
