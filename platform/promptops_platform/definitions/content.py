"""The content of a definition: the JSON object that versions store."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def exact(value: Any) -> str:
    """Encode a JSON value as text, for comparisons in which 1, 1.0 and true differ."""
    return json.dumps(value, ensure_ascii=False)


def content_hash(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a definition.

    Default values are left out, so that a field added by a later release doesn't change existing
    hashes. The order of fields within a value matters, because models fill in a schema in its
    order.
    """
    own = {
        name: value
        for name, value in sorted(content.items())
        if name not in defaults or exact(value) != exact(defaults[name])
    }
    return hashlib.sha256(exact(own).encode()).hexdigest()
