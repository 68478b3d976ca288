"""Rules over several fields of a body, for the API description. The services enforce them where
they use the fields; a test checks that both agree.
"""

from typing import Any

from pydantic import ConfigDict

Rule = dict[str, Any]

TEXT: Rule = {"type": "string", "minLength": 1}
NO_TEXT: Rule = {"enum": [None, ""]}
NO_ITEMS: Rule = {"type": ["array", "null"], "maxItems": 0}
ITEMS: Rule = {"type": "array", "minItems": 1}


def ruled(config: ConfigDict, *rules: Rule) -> ConfigDict:
    """A schema's `model_config` with these rules, all of which a body meets."""
    extra: Any = config["json_schema_extra"]
    return ConfigDict(json_schema_extra={**extra, "allOf": list(rules)})


def present(**fields: Rule) -> Rule:
    """These fields are there, with such values."""
    return {"required": list(fields), "properties": fields}


def either(*rules: Rule) -> Rule:
    """One of the rules is met at least."""
    return {"anyOf": list(rules)}


def never(rule: Rule) -> Rule:
    return {"not": rule}


def when(condition: Rule, rule: Rule) -> Rule:
    """Where the condition is met, so is the rule."""
    return {"if": condition, "then": rule}


def only(**fields: Rule) -> Rule:
    """These fields have such values where they are present."""
    return {"properties": fields}


def exactly(value: object) -> Rule:
    return {"const": value}
