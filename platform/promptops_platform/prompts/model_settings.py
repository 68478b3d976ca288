"""What of a prompt's `config` is meant for the model: parameters, and the form of the answer."""

from collections.abc import Mapping
from typing import Any

# The names that all vendors share; anything else in `config` is the author's own.
SHARED_PARAMETERS = ("temperature", "max_tokens", "top_p", "stop", "seed")


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a model is asked with."""
    return {name: config[name] for name in SHARED_PARAMETERS if config.get(name) is not None}


def output_schema_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema of the answer: `response_format` as OpenAI has it, or the schema itself.
    It is the author's text, and not judged yet."""
    form = config.get("response_format")
    if not isinstance(form, dict):
        return None
    schema_form = form.get("json_schema")
    if form.get("type") == "json_schema" and isinstance(schema_form, dict):
        schema = schema_form.get("schema")
        return schema if isinstance(schema, dict) else None
    # `json_object` and `text` name no schema.
    return form if form.get("type") in ("object", "array") else None


def named_output_schema(
    own: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The schema of an answer under the name that a sentence calls it by: the own one goes before
    the prompt's; empty where there is none."""
    if own:
        return {"output_schema:": own}
    schema = output_schema_of(config)
    return {} if schema is None else {"config: response_format of the prompt": schema}
