"""A run's variables as Prefect shows them: shortened, and valid for its database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_providers.answers.redaction import Redactor
from promptops_providers.answers.storable_texts import storable

MAX_VARIABLES = 100
MAX_VALUE_CHARACTERS = 1_000
MAX_NAME_CHARACTERS = 100
# Prefect's client fails on values that are nested much deeper.
MAX_NESTING = 100


def shown_parameters(
    variables: Mapping[str, Any], redact: Redactor, texts: TextPolicy
) -> dict[str, Any]:
    """Short values are unchanged; of longer ones the beginning is shown, as text. Nothing is shown
    if the policy forbids storing texts."""
    if not texts.keeps_texts:
        return {}
    # Redacted before it is shortened: half a secret would not be recognized.
    shown = {
        storable(texts.redact(redact(name))[:MAX_NAME_CHARACTERS]): _shown(
            texts.json(redact.within(value))
        )
        for name, value in list(variables.items())[:MAX_VARIABLES]
    }
    if len(variables) > MAX_VARIABLES:
        shown["…"] = f"{len(variables) - MAX_VARIABLES} more variables"
    return shown


def _shown(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
        if len(text) <= MAX_VALUE_CHARACTERS and _can_be_shown(text):
            return json.loads(text)
    cut = text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"
    return storable(cut)


def _can_be_shown(text: str) -> bool:
    if text.count("[") + text.count("{") > MAX_NESTING:
        return False
    escaped_nul, not_json = "\\u0000", ("NaN", "Infinity")
    return (
        storable(text) == text
        and escaped_nul not in text
        and not any(word in text for word in not_json)
    )
