"""Steps in the API description: one schema per kind, distinguished by `type`.

The schemas are those of the kinds. They don't validate requests: the kinds validate a definition
themselves, with messages that include a remedy.
"""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, Field, GetJsonSchemaHandler, TypeAdapter, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from promptops_flows.steps.registry import MAPPED_TYPES, STEP_TYPES, step_schema


class _Kind(BaseModel):
    """A placeholder type for the steps of one kind."""

    kind: ClassVar[str]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mapped = handler(_one_of(MAPPED_TYPES).core_schema) if cls.kind == "map" else {}
        return {"title": cls.__name__, **step_schema(cls.kind, mapped)}


# The models exist only for the description, and are created only when it is requested.
@cache
def _model(kind: str) -> type[_Kind]:
    name = f"{kind.capitalize()}StepDefinition"
    fields: dict[str, Any] = {"type": (Literal[kind], ...)}
    model = cast("type[_Kind]", create_model(name, __base__=_Kind, **fields))
    model.kind = kind
    return model


@cache
def _one_of(kinds: tuple[str, ...]) -> TypeAdapter[Any]:
    union: Any = reduce(or_, [_model(kind) for kind in kinds])
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


class DescribedSteps:
    """In `Annotated`: the JSON Schema of a list of steps, for a type that accepts any JSON."""

    def __init__(self, *, nullable: bool) -> None:
        self._type = ["array", "null"] if nullable else "array"

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": self._type, "items": handler(_one_of(STEP_TYPES).core_schema)}
