"""The parts of a prompt's `config` for the model: its parameters and the output format."""

from collections.abc import Mapping
from typing import Any

# Parameters that all vendors support; the author may put anything else into `config`.
SHARED_PARAMETERS = ("temperature", "max_tokens", "top_p", "stop", "seed")


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the model call."""
    return {name: config[name] for name in SHARED_PARAMETERS if config.get(name) is not None}


def output_schema_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON Schema of the output: from `response_format` in OpenAI's format, or the
    schema itself. The author wrote it; it is not validated here."""
    form = config.get("response_format")
    if not isinstance(form, dict):
        return None
    schema_form = form.get("json_schema")
    if form.get("type") == "json_schema" and isinstance(schema_form, dict):
        schema = schema_form.get("schema")
        return schema if isinstance(schema, dict) else None
    # `json_object` and `text` don't contain a schema.
    return form if form.get("type") in ("object", "array") else None


def named_output_schema(
    own: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Return the output schema, keyed by its name in error messages: the caller's own schema takes
    precedence over the prompt's. Empty if neither has one."""
    if own:
        return {"output_schema:": own}
    schema = output_schema_of(config)
    return {} if schema is None else {"config: response_format of the prompt": schema}
