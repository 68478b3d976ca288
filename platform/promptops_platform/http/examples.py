"""Examples of requests and responses, for the API description."""

from typing import Any

from pydantic import BaseModel, ConfigDict

# FastAPI omits every null from its document, including those of examples, which then lack fields
# that responses have. This text replaces nulls until the document is complete.
_NULL = "\0null"


def example(**fields: Any) -> ConfigDict:
    """Use as `model_config = example(key="greeting", ...)` on a schema; subclasses need their
    own."""
    return ConfigDict(json_schema_extra={"examples": [_replaced(fields, None, _NULL)]})


def example_like(model: type[BaseModel], **more: Any) -> ConfigDict:
    """Return the example of a schema to which this one adds `more` fields."""
    extra: Any = model.model_config["json_schema_extra"]
    return example(**extra["examples"][0], **more)


def with_nulls(document: Any) -> Any:
    """Restore the nulls of the examples in a document that FastAPI has made."""
    return _replaced(document, _NULL, None)


def _replaced(value: Any, old: str | None, new: str | None) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value
