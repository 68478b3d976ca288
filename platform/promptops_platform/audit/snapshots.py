"""What an entry stores of a resource: the fields that differ, without secrets, and of limited
length."""

import json
from collections.abc import Mapping
from typing import Any

LONGEST_VALUE = 4000
# Definitions contain what callers put there, possibly an API key.
SECRET_NAMES = frozenset({"password", "token", "secret", "authorization", "apikey"})
SECRET_ENDINGS = ("_password", "_token", "_secret", "_key", "-key")
HIDDEN = "[hidden]"

Fields = Mapping[str, Any]
Kept = dict[str, Any] | None


def changed_fields(before: Fields | None, after: Fields | None) -> tuple[Kept, Kept]:
    """Return the fields that differ of both; all fields if there is only one."""
    if before is None or after is None:
        return _kept(before), _kept(after)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        _kept({name: before.get(name) for name in names}),
        _kept({name: after.get(name) for name in names}),
    )


def _kept(fields: Fields | None) -> Kept:
    if fields is None:
        return None
    return {name: _cut(value) for name, value in _without_secrets(fields).items()}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if isinstance(inner, str) and is_secret(name) else _without_secrets(inner)
            for name, inner in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def is_secret(name: str) -> bool:
    """Whether a value with this name is likely to be a secret."""
    folded = name.lower()
    return folded in SECRET_NAMES or folded.endswith(SECRET_ENDINGS)


def _cut(value: Any) -> Any:
    """Return a long text without its end; a long object or list becomes such a text."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        return value
    if len(text) <= LONGEST_VALUE:
        return value
    return f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
