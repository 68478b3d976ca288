"""Examples of what goes over the wire, for the API description."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def example(**fields: Any) -> ConfigDict:
    """`model_config = example(key="greeting", ...)` on a schema; a subclass gives its own."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def example_like(model: type[BaseModel], **more: Any) -> ConfigDict:
    """The example of a schema that this one adds `more` fields to."""
    extra: Any = model.model_config["json_schema_extra"]
    return example(**extra["examples"][0], **more)
