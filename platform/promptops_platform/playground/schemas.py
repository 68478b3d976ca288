"""Requests and responses of the playground."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from promptops_platform.field_types import Content, Json, JsonObject, OptionalLine
from promptops_platform.http.examples import example
from promptops_platform.http.rules_between_fields import ITEMS, TEXT, either, present, ruled
from promptops_platform.prompts.json_schemas import SentSchema
from promptops_platform.prompts.message_schemas import Messages
from promptops_platform.runlog.model_answer import ModelAnswer, TokenUsage
from promptops_platform.runlog.schemas import Cost

MOST_FALLBACKS = 5


class ProviderNames(BaseModel):
    """The built-in providers in the contract's order, then the stored connections."""

    model_config = example(data=["mock", "openai", "claude", "ollama", "gemini", "team-llm"])

    data: list[str]


class ModelChoice(BaseModel):
    """Another model to call if the previous one fails."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"provider": "claude", "model": ""}]}
    )

    provider: OptionalLine = None
    model: OptionalLine = None


class PlaygroundRun(BaseModel):
    """A prompt by its `id`, a `content`, or the `messages` of a chat. Fields of the request
    override those of the prompt. The key is kept in memory for this run only."""

    model_config = ruled(
        example(content="Say hello to {{who}}.", variables={"who": "Ada"}, provider="mock"),
        either(present(id=TEXT), present(content=TEXT), present(messages=ITEMS)),
    )

    id: Annotated[OptionalLine, Field(description="The id of a prompt.")] = None
    version: Annotated[
        OptionalLine,
        Field(description="A version of the prompt; the working copy by default."),
    ] = None
    content: Content | None = None
    messages: Messages | None = None
    variables: Json = Field(default=None, json_schema_extra={"type": ["object", "null"]})
    provider: Annotated[
        OptionalLine, Field(description="A provider or a stored connection; `mock` by default.")
    ] = None
    model: OptionalLine = None
    api_key: OptionalLine = None
    base_url: OptionalLine = None
    parameters: Annotated[
        JsonObject | None, Field(description="`temperature`, `max_tokens`, `top_p`, ...")
    ] = None
    output_schema: Annotated[
        SentSchema | None, Field(description="JSON Schema that the answer must match.")
    ] = None
    fallbacks: Annotated[list[ModelChoice], Field(max_length=MOST_FALLBACKS)] | None = None
    workspace: Annotated[
        OptionalLine, Field(description="A workspace's id or slug; only without `id`.")
    ] = None
    stream: Annotated[
        bool | None, Field(description="Whether to respond with server-sent events.")
    ] = None


EXAMPLE_ANSWER: dict[str, Any] = {
    "rendered": "Say hello to Ada.",
    "result": {
        "provider": "mock",
        "model": "mock-1",
        "output": "[mock completion] Say hello to Ada.",
    },
    "messages": [{"role": "user", "content": "Say hello to Ada."}],
    "usage": {"prompt_tokens": 5, "output_tokens": 9, "cached_tokens": 0, "estimated": True},
    "stop_reason": "end",
    "latency_ms": 412,
    "run_id": "5e4f30219b8a7c6d",
    "notes": [],
    "cost_usd": 0.0,
}


class PlaygroundAnswer(BaseModel):
    """The rendered prompt and the answer. For a chat, `rendered` is the joined text of its
    messages."""

    model_config = example(**EXAMPLE_ANSWER)

    rendered: str
    result: ModelAnswer
    messages: list[dict[str, Any]]
    usage: TokenUsage
    stop_reason: str
    latency_ms: int
    run_id: str
    notes: list[str] = Field(
        description="How the request to the model differed from the intended one."
    )
    cost_usd: Cost
