"""What of a prompt's `config` is for the model: its parameters, and the form of the answer."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from promptops_flows.json_schemas import SchemaRefusedError, check_schema
from promptops_platform.errors import BadRequest
from promptops_platform.text import JsonObject

# The names that all vendors share; anything else in `config` is the author's own.
SHARED_PARAMETERS = ("temperature", "max_tokens", "top_p", "stop", "seed")


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    check_schema(value)
    return value


# A JSON Schema that can be used.
Schema = Annotated[JsonObject, AfterValidator(_checked)]


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a model is asked with."""
    return {name: config[name] for name in SHARED_PARAMETERS if config.get(name) is not None}


def output_schema_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema of the answer: `response_format` as OpenAI has it, or the schema itself.

    Raises BadRequest for one that can't be used.
    """
    schema = _named_schema(config.get("response_format"))
    if schema is None:
        return None
    try:
        return _checked(schema)
    except SchemaRefusedError as error:
        raise BadRequest(f"config: response_format of the prompt {error}") from error


def _named_schema(form: object) -> dict[str, Any] | None:
    if not isinstance(form, dict):
        return None
    named = form.get("json_schema")
    if form.get("type") == "json_schema" and isinstance(named, dict):
        schema = named.get("schema")
        return schema if isinstance(schema, dict) else None
    # `json_object` and `text` name no schema.
    return form if form.get("type") in ("object", "array") else None
