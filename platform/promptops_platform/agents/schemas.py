"""Requests and responses of agents."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from promptops_flows.definitions.agent import MAX_MODEL_CALLS
from promptops_platform.agents.tools import EXAMPLE_PARAMETERS, HttpTool, Tools
from promptops_platform.definitions.schemas import (
    EXAMPLE_SERVED,
    IfRevision,
    RunEnvironment,
    RunVersion,
    RunWait,
    SentTags,
    ServedFields,
    TagList,
)
from promptops_platform.execution.pool_names import DEFINITION_POOL, DefinitionPool
from promptops_platform.field_types import (
    Content,
    Json,
    JsonObject,
    Key,
    Label,
    Name,
    OptionalLabel,
    OptionalLine,
    OptionalSubject,
    Prose,
    Title,
    refuse_unprintable,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.http.rules_between_fields import TEXT, never, present, ruled
from promptops_platform.prompts.json_schemas import SentSchema

LONGEST_PROVIDER = 64
LONGEST_MODEL = 200
LONGEST_PARAMETERS = 16_384
LONGEST_SAID = 262_144
MOST_FALLBACKS = 5
DEFAULT_STEPS = 8
DEFAULT_WINDOW_MESSAGES = 40
DEFAULT_WINDOW_TOKENS = 8_000
# The request to a model is built from the other fields, which these would override.
OWN_PARAMETERS = ("model", "messages", "stream", "tools", "tool_choice")
EXAMPLE_TOOL = {
    "name": "forecast",
    "description": "The weather forecast of a city.",
    "parameters": EXAMPLE_PARAMETERS,
    "method": "GET",
    "url": "https://weather.example.org/v1/{{city}}",
}

ONE_PROMPT = never(present(prompt=TEXT, prompt_ref={"type": "object"}))

ProviderName = Annotated[Name, StringConstraints(max_length=LONGEST_PROVIDER)]
ModelName = Annotated[Name, StringConstraints(max_length=LONGEST_MODEL)]


OptionalKey = Annotated[Key | None, BeforeValidator(lambda value: None if value == "" else value)]


def _parameters(value: dict[str, Any]) -> dict[str, Any]:
    length = len(json.dumps(value, ensure_ascii=False))
    if length > LONGEST_PARAMETERS:
        raise ValueError(
            f"has {length} characters as JSON, at most {LONGEST_PARAMETERS} are allowed; shorten it"
        )
    for name in OWN_PARAMETERS:
        if name in value:
            raise ValueError(f"{name!r} is set by the agent's own fields; set it there")
    for name, fits, expected in (
        ("temperature", _is_number, "a number"),
        ("top_p", _is_number, "a number from 0 to 1"),
        ("max_tokens", _is_count, "a whole number above 0"),
        ("seed", _is_whole, "a whole number"),
        ("stop", _is_texts, "a text or a list of texts"),
    ):
        if value.get(name) is not None and not fits(value[name]):
            raise ValueError(f"{name!r} must be {expected}")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value > 0


def _is_number(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, float)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(text, str) for text in value)
    )


class PromptReference(BaseModel):
    """A prompt of the agent's workspace: what its environment serves, or a fixed version."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"key": "support", "env": "prod", "version": "v3"}]},
    )

    key: Key
    env: Label = "prod"
    version: OptionalLabel = Field(
        default=None, description="By default what is served, including by an active rollout."
    )


class ModelChoice(BaseModel):
    """A provider and its model; without a model, the provider's default."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"provider": "openai", "model": ""}]}
    )

    provider: ProviderName
    model: ModelName = ""


class AgentUpdate(BaseModel):
    """The fields that an edit may change; a field that is absent or null keeps its value. A
    non-empty `prompt` and a `prompt_ref` replace each other; `{}` removes the `output_schema`."""

    model_config = ruled(example(prompt="You help customers of {{shop}}.", max_steps=4), ONE_PROMPT)

    name: Title | None = None
    description: Prose | None = None
    tags: SentTags = None
    prompt: Content | None = None
    prompt_ref: PromptReference | None = None
    provider: ProviderName | None = Field(default=None, description="`mock` if absent or empty.")
    model: ModelName | None = None
    fallbacks: Annotated[list[ModelChoice], Field(max_length=MOST_FALLBACKS)] | None = Field(
        default=None, description="Tried in this order if the provider fails."
    )
    parameters: Annotated[JsonObject, AfterValidator(_parameters)] | None = Field(
        default=None,
        description="`temperature`, `max_tokens`, `top_p`, `stop`, `seed`, and the vendor's own.",
    )
    updated_at: Json = Field(
        default=None,
        description="The value of the response, if the whole agent is sent back: then `prompt` "
        "and `prompt_ref` may both be present, and the changed one counts.",
    )
    tools: Tools | None = None
    max_steps: Annotated[int, Field(ge=1, le=MAX_MODEL_CALLS)] | None = Field(
        default=None,
        description=f"Maximum number of model calls in a run; {DEFAULT_STEPS} by default.",
    )
    output_schema: SentSchema | None = Field(
        default=None, description="JSON Schema that the answer must match."
    )
    window_messages: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None,
        description="How many messages of a conversation the model sees; "
        f"{DEFAULT_WINDOW_MESSAGES} by default.",
    )
    window_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="How many tokens of them, estimated as a quarter of their characters; "
        f"{DEFAULT_WINDOW_TOKENS} by default.",
    )
    pool: DefinitionPool | None = DEFINITION_POOL

    def schemas(self) -> dict[str, dict[str, Any]]:
        """Return all schemas that are sent, by their names in messages."""
        schemas = {
            f"tools.{index}.parameters:": tool.parameters
            for index, tool in enumerate(self.tools or ())
        }
        return {"output_schema:": self.output_schema, **schemas} if self.output_schema else schemas


class AgentEdit(AgentUpdate):
    """An edit. With `if_version` or `if_revision` it is refused if somebody else has changed the
    resource since."""

    if_version: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        default=None,
        description="The `version` that you have read; without it the last write wins.",
    )
    if_revision: IfRevision = None


class AgentCreate(AgentUpdate):
    """A new agent. `workspace` and `workspace_id` accept an id or a slug."""

    model_config = ruled(
        example(
            key="weather", prompt="Will it rain in {{city}}?", provider="mock", tools=[EXAMPLE_TOOL]
        ),
        ONE_PROMPT,
    )

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class AgentFields(Resource):
    """The fields of an agent."""

    id: str
    workspace_id: str
    key: str
    name: str
    description: str
    prompt: str
    provider: str
    model: str
    created_at: datetime
    updated_at: datetime
    prompt_ref: PromptReference | None
    fallbacks: list[ModelChoice]
    parameters: dict[str, Any]
    tools: list[HttpTool]
    max_steps: int
    output_schema: dict[str, Any] | None
    window_messages: int
    window_tokens: int
    pool: str
    tags: TagList


class Agent(ServedFields, AgentFields):
    """An agent. `version` counts the saved changes of its definition."""

    model_config = example(
        id="6d7e8f90a1b2c3d4",
        workspace_id="default",
        key="weather",
        name="Weather",
        description="",
        prompt="",
        provider="openai",
        model="",
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        prompt_ref={"key": "weather", "env": "prod", "version": "v3"},
        fallbacks=[{"provider": "mock", "model": ""}],
        parameters={"temperature": 0.2},
        tools=[EXAMPLE_TOOL],
        max_steps=8,
        output_schema={"type": "object", "properties": {"rain": {"type": "boolean"}}},
        window_messages=40,
        window_tokens=8000,
        pool="",
        tags="mail,nightly",
        version=4,
        **EXAMPLE_SERVED,
    )


class RunAgent(BaseModel):
    """Values for the prompt, and the message of the user. The key is passed to the provider and
    not stored."""

    model_config = example(
        variables={"city": "Oslo"}, input="And tomorrow?", conversation_id="chat-17"
    )

    variables: Json = Field(default=None, json_schema_extra={"type": ["object", "null"]})
    api_key: OptionalLine = None
    base_url: OptionalLine = None
    version: RunVersion = None
    env: RunEnvironment = None
    wait: RunWait = None
    input: (
        Annotated[
            str,
            StringConstraints(max_length=LONGEST_SAID),
            AfterValidator(refuse_unprintable),
        ]
        | None
    ) = Field(
        default=None,
        description="The user's turn. With it the prompt's text is the system's message.",
    )
    conversation_id: OptionalKey = Field(
        default=None,
        description="An id of your choice. Runs with the same id continue the conversation.",
    )
    subject: OptionalSubject = Field(
        default=None,
        description="Whom the run is for: a rollout always gives a subject the same variant.",
    )
    stream: bool | None = Field(
        default=None,
        description="Whether to send server-sent events; by default `Accept` decides.",
    )
