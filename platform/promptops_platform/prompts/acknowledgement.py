"""Waiting after a publish until the programs that use the prompt have it."""

import re
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, Field

from promptops_platform.access.actor import Actor
from promptops_platform.errors import BadRequest
from promptops_platform.http.envelope import Data
from promptops_platform.http.error_answers import quoted
from promptops_platform.http.examples import example
from promptops_platform.prompts.schemas import PromptVersion

LONGEST_WAIT_SECONDS = 30.0
WAIT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s)", re.ASCII)
SECONDS = {"ms": 0.001, "s": 1.0}


class HoldingClient(BaseModel):
    """A program that watches the environment and holds the prompt, or says nothing of it."""

    id: str
    client_type: str
    app: str
    version: str
    revision: int | None
    replica: str


class Acknowledged(BaseModel):
    """Of the programs that exist for the caller; `behind` and `silent` name at most 100 each."""

    acknowledged: int = Field(description="How many have applied it.")
    connected: int = Field(description="How many watch the environment and hold the prompt.")
    behind: list[HoldingClient] = Field(description="Those that have not applied it yet.")
    silent: list[HoldingClient] = Field(description="Those that report nothing.")
    partial: bool = Field(
        description="Whether those at other replicas are not among them, as the database could "
        "not be asked for them."
    )


class Publication(Data[PromptVersion]):
    """The version; with `wait` also who has it."""

    model_config = example(
        data=PromptVersion.model_config["json_schema_extra"]["examples"][0],  # type: ignore[index]
        acknowledged=41,
        connected=42,
        behind=[
            {
                "id": "9b8a7c6d5e4f3021",
                "client_type": "python",
                "app": "mailer",
                "version": "0.2.0",
                "revision": 4710,
                "replica": "0198a3b2c4d5e6f7",
            }
        ],
        silent=[],
        partial=False,
    )

    acknowledged: int | None = None
    connected: int | None = None
    behind: list[HoldingClient] | None = None
    silent: list[HoldingClient] | None = None
    partial: bool | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, where, and the revision of that change."""

    prompt_id: str
    env: str
    key: str
    revision: int


class Acknowledgements(Protocol):
    """What knows the programs that watch, which stands above."""

    async def acknowledged(
        self, published: Published, seconds: float, *, actor: Actor
    ) -> Acknowledged:
        """Wait for those who hold the prompt, at most so long."""


def wait_seconds(text: str) -> float:
    """The seconds of `5s` or `500ms`; raises BadRequest."""
    found = WAIT.fullmatch(text)
    seconds = float(found[1]) * SECONDS[found[2]] if found else None
    if seconds is None or seconds > LONGEST_WAIT_SECONDS:
        raise BadRequest(
            f"wait: must be a time of at most 30s, as 5s or 500ms (got {quoted(text)})"
        )
    return seconds
