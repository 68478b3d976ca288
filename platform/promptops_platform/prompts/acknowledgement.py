"""Waiting after a publish until the clients that use the prompt have applied it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, Field

from promptops_platform.access.actor import Actor
from promptops_platform.http.envelope import Data
from promptops_platform.http.examples import example
from promptops_platform.prompts.schemas import PromptVersion

LONGEST_WAIT_SECONDS = 30.0


class CachingClient(BaseModel):
    """A client that watches the environment and caches the prompt, or doesn't report its cache."""

    id: str
    client_type: str
    app: str
    version: str
    revision: int | None
    replica: str
    remote_addr: str
    reported_at: datetime | None = Field(
        description="When the client last reported; once it has applied the publish, that time."
    )


class Acknowledged(BaseModel):
    """Counts only the clients that the caller may see. `behind`, `silent` and `applied` list at
    most 100 each."""

    acknowledged: int = Field(description="Number of clients that have applied the publish.")
    connected: int = Field(
        description="Number of clients that watch the environment and cache the prompt."
    )
    behind: list[CachingClient] = Field(description="Clients that have not applied it yet.")
    silent: list[CachingClient] = Field(description="Clients that don't report what they cache.")
    partial: bool = Field(
        description="Whether clients of other replicas are missing because the database could not "
        "be read."
    )
    applied: list[CachingClient] = Field(description="Clients that have applied it.")


class Publication(Data[PromptVersion]):
    """The published version. With `wait`, also the clients that have applied it."""

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
                "remote_addr": "10.4.18.207",
                "reported_at": "2026-03-14T09:26:41.120394Z",
            }
        ],
        silent=[],
        partial=False,
        applied=[],
        published_at="2026-03-14T09:26:53.589793Z",
    )

    acknowledged: int | None = None
    connected: int | None = None
    behind: list[CachingClient] | None = None
    silent: list[CachingClient] | None = None
    partial: bool | None = None
    applied: list[CachingClient] | None = None
    # The version itself is older if the same content was published under this label before.
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, where, and the revision of that change."""

    prompt_id: str
    env: str
    key: str
    revision: int


class Acknowledgements(Protocol):
    """Knows the connected clients; implemented by a room above this one."""

    async def acknowledged(
        self, published: Published, seconds: float, *, actor: Actor
    ) -> Acknowledged:
        """Wait at most `seconds` for the clients that cache the prompt."""
