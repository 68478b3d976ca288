"""Examples of what goes over the wire, for the API description."""

from typing import Any

from pydantic import BaseModel, ConfigDict

# FastAPI leaves every null out of its document, also those of an example, which then lacks a field
# that answers have: they stand there as this text until the document is made.
_NULL = "\0null"


def example(**fields: Any) -> ConfigDict:
    """`model_config = example(key="greeting", ...)` on a schema; a subclass gives its own."""
    return ConfigDict(json_schema_extra={"examples": [_replaced(fields, None, _NULL)]})


def example_like(model: type[BaseModel], **more: Any) -> ConfigDict:
    """The example of a schema that this one adds `more` fields to."""
    extra: Any = model.model_config["json_schema_extra"]
    return example(**extra["examples"][0], **more)


def with_nulls(document: Any) -> Any:
    """A document that FastAPI has made, with the nulls of its examples."""
    return _replaced(document, _NULL, None)


def _replaced(value: Any, old: str | None, new: str | None) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value
