"""Converts between the `config` and `output` of a dotprompt file and the `config` of a prompt."""

from __future__ import annotations

from typing import Any

from promptops_platform.as_code.picoschema import json_schema
from promptops_platform.as_code.yaml_text import FileError

# dotprompt's name, and ours.
_NAMES: dict[str, str] = {
    "maxOutputTokens": "max_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
}
_FILE_NAMES: dict[str, str] = {ours: name for name, ours in _NAMES.items()}
_OUTPUT_NAME = "output"
RESPONSE_FORMAT = "response_format"


def parse(config: object, output: object) -> dict[str, Any]:
    """Return a prompt's config. Raises FileError."""
    if not isinstance(config, dict):
        raise FileError("config must be names and values, as `temperature: 0.2`")
    values = {str(_NAMES.get(name) or name): value for name, value in config.items()}
    if len(values) < len(config):
        raise FileError("config gives one parameter under two names; remove one")
    form = _response_format(output)
    if form is not None:
        if RESPONSE_FORMAT in values:
            raise FileError(f"both output and config.{RESPONSE_FORMAT} are given; remove one")
        values[RESPONSE_FORMAT] = form
    return values


def write(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the `config` and `output` that `parse` reads back to this config; None for empty
    ones."""
    rest = {name: value for name, value in config.items() if name != RESPONSE_FORMAT}
    front: dict[str, Any] = {}
    if rest:
        front["config"] = {_FILE_NAMES.get(name, name): value for name, value in rest.items()}
    form = config.get(RESPONSE_FORMAT)
    if isinstance(form, dict):
        schema_form = form.get("json_schema")
        schema = schema_form.get("schema") if isinstance(schema_form, dict) else None
        front["output"] = {"format": "json", **({} if schema is None else {"schema": schema})}
    try:
        is_same = parse(front.get("config", {}), front.get("output", {})) == config
    except FileError:
        return None
    return front if is_same else None


def _response_format(output: object) -> dict[str, Any] | None:
    if not isinstance(output, dict):
        raise FileError("output must have a format or a schema")
    if unknown := set(output) - {"format", "schema"}:
        raise FileError(f"output: {min(unknown)!r} has no counterpart; use format and schema")
    form = output.get("format", "json" if "schema" in output else "text")
    if form not in ("json", "text"):
        raise FileError(f"output.format: {form!r} has no counterpart; use json or text")
    if form == "text":
        return None
    if "schema" not in output:
        return {"type": "json_object"}
    schema = json_schema(output["schema"])
    return {"type": "json_schema", "json_schema": {"name": _OUTPUT_NAME, "schema": schema}}
