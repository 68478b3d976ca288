"""Messages of chat prompts on the wire: OpenAI's Chat Completions format, plus placeholders."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from typing_extensions import TypeAliasType

from promptops_flows.templates.chat_messages import FILE_PART, IMAGE_PART, PLACEHOLDER, TEXT_PART
from promptops_flows.templates.language import variables_in
from promptops_platform.field_types import Content, Line, refuse_unprintable
from promptops_platform.http.error_answers import BRANCH
from promptops_platform.http.rules_between_fields import ITEMS, Rule, either, present, ruled

MOST_MESSAGES = 200
MOST_PARTS = 50
MOST_TOOL_CALLS = 128
LONGEST_NAME = 64
ROLES = ("system", "developer", "user", "assistant", "tool")
_TOOL_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
_NOT_IN_NAMES = re.compile(r"[\s<|\\/>]")


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


def _ruled(config: ConfigDict, *rules: Rule) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra=ruled(config, *rules)["json_schema_extra"])


def _participant(name: str) -> str:
    if _NOT_IN_NAMES.search(name):
        raise ValueError("can't contain spaces or any of < | \\ / >; use letters, digits, _ and -")
    return name


def _known_role(role: Any) -> Any:
    if role not in ROLES:
        raise ValueError(f"must be one of {', '.join(ROLES)}; a placeholder has a type instead")
    return role


def _variable(name: str) -> str:
    if variables_in("{{" + name + "}}") != [name]:
        raise ValueError("must be a variable's name: letters, digits, _ and . without spaces")
    return name


def _json_object(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON; send a JSON object as text, '{}' for none") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object; send one as text, '{}' for none")
    return text


def _field(value: Any, name: str) -> Any:
    """Get a field of parsed JSON, or of a model that is being written."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


Participant = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME),
    AfterValidator(refuse_unprintable),
    AfterValidator(_participant),
    Field(description="Distinguishes participants of one role; ignored by vendors without it."),
]
CallId = Annotated[Line, StringConstraints(min_length=1)]


class TextPart(BaseModel):
    model_config = _example(type="text", text="Compare with {{other}}.")

    type: Literal["text"]
    text: Content


class ImageUrl(BaseModel):
    model_config = _example(url="{{photo}}", detail="low")

    url: Annotated[Content, StringConstraints(min_length=1)] = Field(
        description="An https URL, a `data:` URL, or a template that renders to one."
    )
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(BaseModel):
    model_config = _example(type="image_url", image_url={"url": "https://img.example.org/{{id}}"})

    type: Literal["image_url"]
    image_url: ImageUrl


class FileByAddress(BaseModel):
    model_config = _example(url="https://docs.example.org/{{report}}.pdf")

    url: Annotated[Content, StringConstraints(min_length=1)] = Field(
        description="An https URL, a `data:` URL, or a template that renders to one."
    )
    filename: Annotated[Line, StringConstraints(min_length=1)] | None = None


class FileData(BaseModel):
    model_config = _example(file_data="{{report}}", filename="report.pdf")

    file_data: Annotated[Content, StringConstraints(min_length=1)] = Field(
        description="Same as `url`, under OpenAI's name for it."
    )
    filename: Annotated[Line, StringConstraints(min_length=1)] | None = None


def _file_branch(value: Any) -> str:
    return f"{BRANCH}{'url' if _field(value, 'file_data') is None else 'data'}"


class FilePart(BaseModel):
    model_config = _example(type="file", file={"url": "https://docs.example.org/{{report}}.pdf"})

    type: Literal["file"]
    file: Annotated[
        Annotated[FileByAddress, Tag(f"{BRANCH}url")] | Annotated[FileData, Tag(f"{BRANCH}data")],
        Discriminator(_file_branch),
    ]


def _part_branch(value: Any) -> str | None:
    kind = _field(value, "type")
    return f"{BRANCH}{kind}" if kind in (TEXT_PART, IMAGE_PART, FILE_PART) else None


UserPart = TypeAliasType(
    "UserPart",
    Annotated[
        Annotated[TextPart, Tag(f"{BRANCH}{TEXT_PART}")]
        | Annotated[ImagePart, Tag(f"{BRANCH}{IMAGE_PART}")]
        | Annotated[FilePart, Tag(f"{BRANCH}{FILE_PART}")],
        Discriminator(
            _part_branch,
            custom_error_type="content_part",
            custom_error_message="must be an object whose type is text, image_url or file",
        ),
    ],
)


def _content_branch(value: Any) -> str | None:
    if isinstance(value, str):
        return f"{BRANCH}text"
    return f"{BRANCH}parts" if isinstance(value, list) else None


_TEXT_OR_PARTS = Discriminator(
    _content_branch,
    custom_error_type="message_content",
    custom_error_message="must be a text, or a list of parts",
)
_Text = Annotated[Content, Tag(f"{BRANCH}text")]
Texts = Annotated[
    _Text
    | Annotated[list[TextPart], Field(min_length=1, max_length=MOST_PARTS), Tag(f"{BRANCH}parts")],
    _TEXT_OR_PARTS,
]
UserContent = Annotated[
    _Text
    | Annotated[list[UserPart], Field(min_length=1, max_length=MOST_PARTS), Tag(f"{BRANCH}parts")],
    _TEXT_OR_PARTS,
]


class CalledFunction(BaseModel):
    model_config = _example(name="weather", arguments='{"city": "Oslo"}')

    name: Annotated[str, StringConstraints(pattern=_TOOL_NAME)]
    arguments: Annotated[Content, AfterValidator(_json_object)] = Field(
        description="A JSON object as text; variables in it are not rendered."
    )


class ToolCall(BaseModel):
    model_config = _example(
        id="call_1", type="function", function={"name": "weather", "arguments": "{}"}
    )

    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction


class InstructionMessage(BaseModel):
    model_config = _example(role="system", content="You help customers of {{shop}}.")

    # Messages with a missing or an unknown role are also validated by this model.
    role: Annotated[Literal["system", "developer"], BeforeValidator(_known_role)]
    content: Texts
    name: Participant | None = None


class UserMessage(BaseModel):
    """A user message. Only this role may send images and files."""

    model_config = _example(role="user", content="{{question}}")

    role: Literal["user"]
    content: UserContent
    name: Participant | None = None


class AssistantMessage(BaseModel):
    """A message of the model: `content`, `tool_calls`, or both."""

    model_config = _ruled(
        _example(
            role="assistant",
            tool_calls=[
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        ),
        either(present(content={"type": ["string", "array"]}), present(tool_calls=ITEMS)),
    )

    role: Literal["assistant"]
    content: Texts | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=MOST_TOOL_CALLS)] | None = None
    name: Participant | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise ValueError("an assistant's message needs content or tool_calls; send one of them")
        return self


class ToolMessage(BaseModel):
    """The result of a tool call, which `tool_call_id` names."""

    model_config = _example(role="tool", tool_call_id="call_1", content="Rain, 7 degrees.")

    role: Literal["tool"]
    tool_call_id: CallId
    content: Texts
    name: Participant | None = None


class Placeholder(BaseModel):
    """Replaced by the messages of the variable of this name when the prompt is rendered."""

    model_config = _example(type="placeholder", name="history")

    type: Literal["placeholder"]
    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_NAME),
        AfterValidator(_variable),
    ]


def _message_branch(value: Any) -> str | None:
    if not isinstance(value, dict | BaseModel):
        return None
    if _field(value, "type") == PLACEHOLDER:
        return f"{BRANCH}{PLACEHOLDER}"
    role = _field(value, "role")
    return f"{BRANCH}{role if role in ('user', 'assistant', 'tool') else 'instruction'}"


Message = TypeAliasType(
    "Message",
    Annotated[
        Annotated[InstructionMessage, Tag(f"{BRANCH}instruction")]
        | Annotated[UserMessage, Tag(f"{BRANCH}user")]
        | Annotated[AssistantMessage, Tag(f"{BRANCH}assistant")]
        | Annotated[ToolMessage, Tag(f"{BRANCH}tool")]
        | Annotated[Placeholder, Tag(f"{BRANCH}{PLACEHOLDER}")],
        Discriminator(
            _message_branch,
            custom_error_type="message_role",
            custom_error_message="must be an object with role and content, or a placeholder",
        ),
    ],
)
Messages = Annotated[list[Message], Field(max_length=MOST_MESSAGES)]


def stored_messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Return the messages as they are stored and served, without empty fields."""
    return [
        {
            name: value
            for name, value in message.model_dump(exclude_none=True).items()
            if value != []
        }
        for message in messages
    ]
