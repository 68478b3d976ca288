"""Requests and responses of approvals."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from promptops_platform.field_types import Content, JsonObject
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

State = Literal["waiting", "approved", "rejected", "closed"]
LONGEST_COMMENT = 10_000


class Approval(Resource):
    """A step of a run that waits for a person, or has waited."""

    model_config = example(
        id="9b2f6a1c0d3e4f58",
        run_id="5e4f30219b8a7c6d",
        workspace_id="default",
        workflow="refund",
        step="ask",
        position=2,
        state="waiting",
        message="Refund **120 EUR** to Ada?",
        form={"type": "object", "properties": {"amount": {"type": "number"}}},
        roles=["admin"],
        members=["grace"],
        allow_link=False,
        may_decide=True,
        deadline_at="2026-03-14T11:26:53.589793Z",
        on_deadline="reject",
        reminders=[1800],
        created_at="2026-03-14T09:26:53.589793Z",
        asked_by="ada",
        decided_at=None,
        decided_by=None,
        comment=None,
        values=None,
    )

    id: str
    run_id: str
    workspace_id: str
    workflow: str = Field(description="Key of the workflow.")
    step: str
    position: int = Field(description="Position of the step, counted from 1.")
    state: State = Field(description="`closed` if the run has ended without a decision.")
    message: str | None = Field(
        description="What is to be decided, in Markdown; null if it is not stored."
    )
    form: dict[str, Any] = Field(description="JSON Schema of the values; empty for none.")
    roles: list[str] = Field(description="Users with one of these roles, or a higher one, decide.")
    members: list[str] = Field(
        description="User names of further deciders; with neither roles nor members, "
        "everybody who may run the workflow."
    )
    allow_link: bool = Field(description="Whether links may decide without an account.")
    may_decide: bool = Field(description="Whether you may decide now.")
    deadline_at: datetime | None
    on_deadline: Literal["approve", "reject"]
    reminders: list[float] = Field(
        description="Seconds after which `approval.reminder` fires triggers."
    )
    created_at: datetime
    asked_by: str = Field(description="Who started the run.")
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    values: dict[str, Any] | None = Field(description="Null if they are not stored.")


class Decide(BaseModel):
    """A decision with a comment and the values of the form."""

    model_config = example(comment="checked with the customer", values={"amount": 120})

    comment: Annotated[Content, Field(max_length=LONGEST_COMMENT)] = ""
    values: JsonObject = Field(default_factory=dict)


class ApprovalLink(BaseModel):
    """A link that decides once, shown in this response only. `page_url` is for people, `url` for
    programs."""

    model_config = example(
        url="http://localhost:8080/api/approval-links/pol_Zm9vYmFy",
        page_url="http://localhost:8080/approve/pol_Zm9vYmFy",
        expires_at="2026-03-14T11:26:53.589793Z",
    )

    url: str
    page_url: str
    expires_at: datetime


class LinkedApproval(Resource):
    """The approval that a link decides."""

    model_config = example(
        workflow="refund",
        step="ask",
        state="waiting",
        message="Refund **120 EUR** to Ada?",
        form={"type": "object", "properties": {"amount": {"type": "number"}}},
        deadline_at="2026-03-14T11:26:53.589793Z",
        on_deadline="reject",
    )

    workflow: str
    step: str
    state: State
    message: str | None = Field(description="Markdown.")
    form: dict[str, Any] = Field(description="JSON Schema of the values; empty for none.")
    deadline_at: datetime | None
    on_deadline: Literal["approve", "reject"]


class DecideByLink(Decide):
    """A decision by a link."""

    model_config = example(decision="approve", comment="fine", values={"amount": 120})

    decision: Literal["approve", "reject"]
