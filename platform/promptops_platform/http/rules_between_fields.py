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
    """Return a schema's `model_config` with these rules, all of which apply to a body."""
    extra: Any = config["json_schema_extra"]
    return ConfigDict(json_schema_extra={**extra, "allOf": list(rules)})


def present(**fields: Rule) -> Rule:
    """These fields are present, with such values."""
    return {"required": list(fields), "properties": fields}


def either(*rules: Rule) -> Rule:
    """At least one of the rules applies."""
    return {"anyOf": list(rules)}


def never(rule: Rule) -> Rule:
    return {"not": rule}


def when(condition: Rule, rule: Rule) -> Rule:
    """If the condition applies, the rule does too."""
    return {"if": condition, "then": rule}


def only(**fields: Rule) -> Rule:
    """These fields have such values if they are present."""
    return {"properties": fields}


def exactly(value: object) -> Rule:
    return {"const": value}
