"""Requests and responses of change requests."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from promptops_platform.definitions.schemas import DefinitionDiff, Note
from promptops_platform.field_types import OptionalTime
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.prompts.schemas import PromptDiff

State = Literal["open", "applied", "rejected", "withdrawn"]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a sentence")
    return text


Comment = Annotated[Note, AfterValidator(_not_blank)]


class CommentBody(BaseModel):
    model_config = example(comment="Please mention the refund policy as well.")

    comment: Comment


class ApproveBody(BaseModel):
    """A comment is optional."""

    model_config = example(comment="Reads well.")

    comment: Note | None = None


class ApplyBody(BaseModel):
    """With `bypass` an admin applies the request without its approvals, if the environment
    allows that. `reason` is recorded in the audit trail."""

    model_config = example(bypass=False)

    bypass: bool = False
    reason: Note | None = None


class ScheduleBody(BaseModel):
    """When to apply the request, if it has its approvals by then; null cancels this."""

    model_config = example(apply_at="2026-03-16T07:00:00Z")

    apply_at: OptionalTime


class ChangeApproval(Resource):
    """A person's approval of the request as it is now."""

    model_config = example(username="bob", created_at="2026-03-14T09:26:53.589793Z")

    username: str
    created_at: datetime


EXAMPLE: dict[str, Any] = {
    "id": "0f3c5d7e9a3f2a1c",
    "workspace_id": "default",
    "kind": "prompt",
    "resource_id": "5d7e0f3c9a3f2a1c",
    "key": "greeting",
    "env": "prod",
    "action": "publish",
    "summary": "publish v2 of prompt greeting in prod, which serves v1",
    "note": "Shorter, after the pilot.",
    "before_version": "v1",
    "after_version": "v2",
    "author": "ada",
    "state": "open",
    "approvals": [{"username": "bob", "created_at": "2026-03-14T09:26:53.589793Z"}],
    "approvals_needed": 2,
    "outdated": None,
    "apply_at": None,
    "bypassed": False,
    "closed_by": None,
    "closed_at": None,
    "created_at": "2026-03-14T09:26:53.589793Z",
    "updated_at": "2026-03-14T09:26:53.589793Z",
    "refusals": {"apply": "the request has 1 of 2 approvals; 1 more is needed"},
}


class ChangeRequest(Resource):
    """A proposed change of what an environment serves. It takes effect when it is applied.

    `refusals` lists what you can't do with it now, with the reasons, out of `approve`, `reject`,
    `apply`, `bypass`, `schedule`, `withdraw`, `refresh` and `comment`.
    """

    model_config = example(**EXAMPLE)

    id: str
    workspace_id: str
    kind: Literal["prompt", "agent", "workflow"]
    resource_id: str = Field(description="The resource to change; for a promotion, its source.")
    key: str
    env: str
    action: Literal["publish", "rollback", "promote", "rollout", "delete_rollout", "delete"]
    summary: str = Field(description="The change in a sentence.")
    note: str
    before_version: str | None = Field(
        description="What is served without the change; null for a draft."
    )
    after_version: str | None = Field(
        description="What is served after the change; null for nothing."
    )
    author: str
    state: State
    approvals: list[ChangeApproval]
    approvals_needed: int
    outdated: str | None = Field(description="Why it can't be applied as it is; null if it can.")
    apply_at: datetime | None
    bypassed: bool = Field(description="Whether an admin applied it without its approvals.")
    closed_by: str | None
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    refusals: dict[str, str]


class ServedSide(BaseModel):
    """What the environment serves without or with the change. `content` is null for nothing."""

    version: str | None
    content: dict[str, Any] | None
    rollout: dict[str, Any] | None


class ChangeRequestDiff(BaseModel):
    """One of the two is set, depending on the kind of the resource. Rollouts are in `before` and
    `after`."""

    prompt: PromptDiff | None = None
    definition: DefinitionDiff | None = None


class ChangeRequestEvent(Resource):
    """What happened to the request: an action with its comment, or a `comment` alone."""

    id: str
    action: str
    comment: str
    actor: str
    created_at: datetime


class ChangeRequestDetail(ChangeRequest):
    """A change request with what it would serve, and its events, oldest first."""

    model_config = example(
        **EXAMPLE,
        before={"version": "v1", "content": {"content": "Hello"}, "rollout": None},
        after={"version": "v2", "content": {"content": "Hi"}, "rollout": None},
        diff={"prompt": None, "definition": None},
        events=[
            {
                "id": "7",
                "action": "approve",
                "comment": "Reads well.",
                "actor": "bob",
                "created_at": "2026-03-14T09:26:53.589793Z",
            }
        ],
    )

    before: ServedSide
    after: ServedSide
    diff: ChangeRequestDiff
    events: list[ChangeRequestEvent]
