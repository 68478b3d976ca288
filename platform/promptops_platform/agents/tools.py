"""Schemas of an agent's HTTP tools."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from promptops_flows.json_schemas import SchemaRefusedError
from promptops_flows.steps.http_tools import MAX_TOOL_BYTES, MAX_TOOL_SECONDS
from promptops_flows.steps.tool_headers import check_headers
from promptops_flows.steps.tool_urls import MAX_URL_CHARACTERS, ToolUrlError, check_url
from promptops_platform.field_types import Line, refuse_unprintable
from promptops_platform.prompts.json_schemas import MOST_CHARACTERS, bounded, size_of

LONGEST_DESCRIPTION = 4_000
MOST_TOOLS = 64
EXAMPLE_PARAMETERS: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
    "required": ["city"],
    "additionalProperties": False,
}


def _of_an_object(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("type") != "object":
        raise ValueError('must describe an object; give it "type": "object" and properties')
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    check_headers(value)
    return {name.lower(): text for name, text in value.items()}


ToolName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class HttpTool(BaseModel):
    """A request that the model may make. Arguments that are not in the URL are sent as JSON in the
    body, or in the query of a GET or DELETE."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "forecast",
                    "description": "The weather forecast of a city.",
                    "parameters": EXAMPLE_PARAMETERS,
                    "method": "GET",
                    "url": "https://weather.example.org/v1/{{city}}",
                }
            ]
        },
    )

    name: ToolName
    description: Annotated[
        str, StringConstraints(max_length=LONGEST_DESCRIPTION), AfterValidator(refuse_unprintable)
    ] = ""
    parameters: Annotated[dict[str, Any], AfterValidator(_of_an_object)] = Field(
        description="JSON Schema of the arguments, of type object."
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[Line, StringConstraints(max_length=MAX_URL_CHARACTERS)] = Field(
        description="With `{{argument}}` in path and query; required arguments only."
    )
    headers: Headers = {}
    timeout_seconds: float = Field(default=30.0, gt=0, le=MAX_TOOL_SECONDS)
    max_response_bytes: int = Field(
        default=65_536, ge=1, le=MAX_TOOL_BYTES, description="Longer responses are cut."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        try:
            check_url(self.url, self.parameters)
        except ToolUrlError as error:
            raise ValueError(f"url: {error}") from error
        return self


def _bounded(tools: object) -> object:
    """Check the sizes of schemas before the tools are parsed, separately and in total."""
    if not isinstance(tools, list) or len(tools) > MOST_TOOLS:
        return tools
    total = 0
    for index, tool in enumerate(tools):
        schema = tool.get("parameters") if isinstance(tool, dict) else None
        try:
            total += size_of(bounded(schema))
        except SchemaRefusedError as error:
            raise ValueError(f"{index}.parameters {error}") from error
    if total > MOST_CHARACTERS:
        raise ValueError(
            f"their parameters have {total:,} characters as JSON together, at most "
            f"{MOST_CHARACTERS:,} are allowed; shorten them, or create two agents"
        )
    return tools


def _bounded_alone(tool: object) -> object:
    schema = tool.get("parameters") if isinstance(tool, dict) else None
    try:
        bounded(schema)
    except SchemaRefusedError as error:
        raise ValueError(f"parameters {error}") from error
    return tool


def _unique(tools: list[HttpTool]) -> list[HttpTool]:
    names = [tool.name for tool in tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two tools are called {twice!r}; give each a unique name")
    return tools


Tools = Annotated[
    list[HttpTool],
    Field(max_length=MOST_TOOLS),
    AfterValidator(_unique),
    BeforeValidator(_bounded),
]

# A tool that is not stored; the route checks its schema.
SentTool = Annotated[HttpTool, BeforeValidator(_bounded_alone)]
