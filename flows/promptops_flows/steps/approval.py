"""`approval`: waits until a person approves or rejects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, cast

from promptops_flows.json_schemas import SchemaRefusedError, check_schema, findings
from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import (
    FLAG,
    NAMES,
    OBJECT,
    KindSchema,
    choice,
    described,
    duration,
    durations,
    needed_text,
)
from promptops_flows.steps.fields import MAX_NAME_CHARACTERS, Fields
from promptops_flows.steps.step import Action, ParseContext, Step, Template, rendered
from promptops_flows.templates.references import Scope

MAX_MESSAGE_CHARACTERS = 100_000
MAX_DEADLINE_SECONDS = 366 * 24 * 3600.0
MAX_PEOPLE = 100
MAX_REMINDERS = 20
DECIDING_ROLES = ("viewer", "editor", "admin")
ON_DEADLINE = ("approve", "reject")
# The step isn't executed, so these policies would have no effect.
_WITHOUT_EFFECT = ("retries", "timeout", "cache", "concurrency")

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Approval(Action):
    """`message` is a Markdown template. `roles` and `members`, by user name, may decide; without
    any, everybody who may run the workflow. `form` is a JSON Schema of the values that a decision
    includes. `reminders` are seconds after which the deciders are reminded, in ascending order."""

    message: str
    roles: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    form: Mapping[str, Any] = field(default_factory=dict)
    deadline_seconds: float | None = None
    on_deadline: Literal["approve", "reject"] = "reject"
    allow_link: bool = False
    reminders: tuple[float, ...] = ()
    type: ClassVar[str] = "approval"
    schema: ClassVar[KindSchema] = KindSchema(
        {
            "message": described(
                needed_text(MAX_MESSAGE_CHARACTERS),
                "Template of what has to be decided, in Markdown.",
            ),
            "roles": described(NAMES, f"Roles that may decide: {', '.join(DECIDING_ROLES)}."),
            "members": described(NAMES, "Names of users who may decide."),
            "form": described(OBJECT, "JSON Schema of the values that a decision includes."),
            "deadline": duration(MAX_DEADLINE_SECONDS),
            "on_deadline": choice(*ON_DEADLINE),
            "allow_link": described(
                FLAG, "Whether a link can be created that decides without an account."
            ),
            "reminders": durations(MAX_REMINDERS, MAX_DEADLINE_SECONDS),
        },
        required=("message",),
        without_effect=_WITHOUT_EFFECT,
        description="Waits until a person approves or rejects.",
    )

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        for name in _WITHOUT_EFFECT:
            if fields.value(name):
                raise fields.error(name, "has no effect on an approval; use deadline, or remove it")
        message = fields.text("message", MAX_MESSAGE_CHARACTERS)
        if not message.strip():
            raise fields.error("message", "is missing, say what is to be decided")
        deadline = fields.duration("deadline", MAX_DEADLINE_SECONDS)
        if deadline is None and fields.has("on_deadline"):
            raise fields.error("on_deadline", "has no effect without a deadline; add one")
        on_deadline = fields.choice("on_deadline", ON_DEADLINE, "reject")
        return cls(
            message,
            _roles(fields),
            fields.texts("members", MAX_PEOPLE, MAX_NAME_CHARACTERS),
            _form(fields, on_deadline),
            deadline,
            cast("Literal['approve', 'reject']", on_deadline),
            fields.flag("allow_link"),
            _reminders(fields, deadline),
        )

    def templates(self) -> Iterable[Template]:
        yield Template("message", self.message)

    async def asked(self, scope: Scope) -> str:
        """Return the message rendered with the run's values; raises `StepError`."""
        message = await asyncio.to_thread(rendered, self.message, scope)
        if len(message) > MAX_MESSAGE_CHARACTERS:
            raise StepError(
                f"the message has {len(message):,} characters, at most {MAX_MESSAGE_CHARACTERS:,} "
                "are allowed; shorten what it shows"
            )
        return message

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        """Called only if nobody can decide: a decision is stored as a checkpoint and used
        instead."""
        await self.asked(scope)
        raise StepError("nobody can be asked for this approval here")


def decided(step: Step, decision: Decision, by: str, comment: str, values: Any) -> StepOutput:
    """Return the output of an approval; a rejected one has failed, unless the step continues on
    errors."""
    note = f"{decision} by {by}"
    if decision == "rejected" and not step.policy.continue_on_error:
        sentence = f"{note}: {comment}" if comment else note
        return StepOutput(sentence, notes=(note,), side=decision, failed=True)
    value = {"decision": decision, "by": by, "comment": comment, "values": values}
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return StepOutput(text, notes=(note,), value=value, side=decision)


def _roles(fields: Fields) -> tuple[str, ...]:
    roles = fields.texts("roles", len(DECIDING_ROLES), MAX_NAME_CHARACTERS)
    for role in roles:
        if role not in DECIDING_ROLES:
            options = ", ".join(DECIDING_ROLES)
            raise fields.error("roles", f"has the unknown role '{role[:40]}', use {options}")
    return roles


def _reminders(fields: Fields, deadline: float | None) -> tuple[float, ...]:
    reminders = fields.durations("reminders", MAX_REMINDERS, MAX_DEADLINE_SECONDS)
    if deadline is not None and any(seconds >= deadline for seconds in reminders):
        raise fields.error("reminders", "has one that is not before the deadline; remove it")
    return tuple(sorted(set(reminders)))


def _form(fields: Fields, on_deadline: str) -> dict[str, Any]:
    form = fields.mapping("form")
    try:
        check_schema(form)
    except SchemaRefusedError as error:
        raise fields.error("form", f"can't be used: {error}") from error
    if form and on_deadline == "approve" and (wrong := findings(form, {})):
        raise fields.error(
            "form", f"needs values ({wrong[0]}), which on_deadline: approve can't give"
        )
    return form
