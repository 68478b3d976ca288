"""The reference of events, from the types that the platform has."""

from markdown import SOURCE_NOTE, cell, code, table

from promptops_platform.changes.schemas import ChangeType
from promptops_platform.triggers.events import CLIENT_BEHIND, CONNECTION_FAILING, EVENTS

# Each type needs its sentence: the build fails for one without.
CHANGES = {
    ChangeType.PROMPT_UPDATED: "what programs get of a prompt has changed: an edit before the first "
    "publish, a rollback, a rollout",
    ChangeType.PROMPT_PUBLISHED: "a version was published",
    ChangeType.PROMPT_DRAFTED: "a draft was saved; programs get nothing new",
    ChangeType.PROMPT_DELETED: "a prompt was deleted",
    ChangeType.WORKFLOW_SAVED: "a workflow was created or edited",
    ChangeType.WORKFLOW_PUBLISHED: "an environment serves another version of a workflow",
    ChangeType.WORKFLOW_DELETED: "a workflow was deleted",
    ChangeType.AGENT_SAVED: "an agent was created or edited",
    ChangeType.AGENT_PUBLISHED: "an environment serves another version of an agent",
    ChangeType.AGENT_DELETED: "an agent was deleted",
    ChangeType.TRIGGER_CHANGED: "a trigger was created, edited, stopped or deleted",
    ChangeType.ROLLOUT_CHANGED: "a rollout was created, edited or removed",
    ChangeType.CONNECTION_CHANGED: "a connection to a model provider was stored, edited or deleted",
    ChangeType.WORKSPACE_SAVED: "a workspace was created or edited, or its members changed",
    ChangeType.WORKSPACE_DELETED: "a workspace was deleted",
    ChangeType.ENVIRONMENT_CHANGED: "an environment was created, moved, protected or removed",
    ChangeType.CHANGE_REQUEST_CHANGED: "a change request was created, discussed, decided or applied",
    ChangeType.SCHEDULE_CHANGED: "a schedule was created, edited, paused, run or deleted",
    ChangeType.USER_CHANGED: "an account was created, edited or deleted",
    ChangeType.SESSION_SAVED: "somebody logged in, or a session was extended",
    ChangeType.SESSION_CLOSED: "a session ended",
    ChangeType.KEY_SAVED: "an API key was created or edited",
    ChangeType.KEY_REVOKED: "an API key was revoked",
}
FIRING = {
    "prompt.published": "a version was published",
    "prompt.updated": "programs get something else, without a publish",
    "prompt.rolled_back": "an earlier version is served again",
    "rollout.changed": "a rollout changed what programs get",
    "run.completed": "a run of an agent or a workflow completed",
    "run.failed": "a run failed, timed out or crashed",
    "approval.waiting": "a run begins to wait for an approval",
    "approval.reminder": "a reminder of an approval is due",
    CLIENT_BEHIND: "a program has not applied a change for some seconds",
    CONNECTION_FAILING: "several calls over a connection failed one after the other",
}


def page() -> str:
    changes = [(code(kind.value), cell(CHANGES[kind])) for kind in ChangeType]
    firing = [(code(name), cell(FIRING[name])) for name in EVENTS]
    return (
        f"{SOURCE_NOTE}# Events\n\n## Changes\n\nEach is a row of the change feed, with a revision. "
        "Programs receive those about prompts that they may fetch; consoles receive those that their "
        "user may see. Sessions and keys travel between replicas only: a console gets an event about "
        "a key, never about a session. [Hot reload](../hot-reload.md) describes the messages, "
        "[SDK protocol](../sdk-protocol.md#watch) the connection.\n\n"
        + table(("Type", "When"), changes)
        + "## Events that triggers wait for\n\n[Triggers](../triggers.md) start runs and send webhooks "
        "when one of these happens, or when somebody sends a signed message to their address.\n\n"
        + table(("Event", "When"), firing)
        + "## Events of runs\n\nA run that is streamed sends its own events: "
        "[runs](../runs.md#following-a-run).\n"
    )
