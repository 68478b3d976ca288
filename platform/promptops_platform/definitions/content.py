"""The content of a definition: a JSON object of which versions are made."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def exact(value: Any) -> str:
    """A JSON value as text, for comparisons in which 1, 1.0 and true differ."""
    return json.dumps(value, ensure_ascii=False)


def content_hash(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a definition.

    Fields that have their default are left out, so that a field which a later release adds changes
    no hash. The order of the fields within a value counts: models answer a schema in that order.
    """
    own = {
        name: value
        for name, value in sorted(content.items())
        if name not in defaults or exact(value) != exact(defaults[name])
    }
    return hashlib.sha256(exact(own).encode()).hexdigest()
