"""Examples of what goes over the wire, for the API description."""

from typing import Any

from pydantic import ConfigDict


def example(**fields: Any) -> ConfigDict:
    """`model_config = example(key="greeting", ...)` on a schema; a subclass gives its own."""
    return ConfigDict(json_schema_extra={"examples": [fields]})
