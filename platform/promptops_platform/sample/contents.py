"""The contents of the sample: small, and runnable without an API key of a model provider."""

from typing import Any

from promptops_platform.agents.tables import AgentRow
from promptops_platform.workflows.tables import WorkflowRow

TAG = "sample"
KEY_NAME = "sample"
PROMPT = "sample.support-reply"
AGENT = "sample-support"
WORKFLOW = "sample-triage"
PROVIDER = "mock"
QUESTION = "{{question}}"

# The history of the prompt: the system message and the note of each version.
VERSIONS = (
    ("You answer customers of {{shop}}.", "First version"),
    (
        "You answer customers of {{shop}} in at most four sentences.",
        "Shorter: four sentences",
    ),
    (
        "You answer customers of {{shop}} in at most four sentences, in {{language}}. "
        "Never ask for a password.",
        "Answer in the customer's language; never ask for a password",
    ),
)
# The version that the last environment serves: the newest one is not yet promoted.
PROMOTED = 2


def messages(system: str) -> list[dict[str, Any]]:
    """Return the prompt's messages with this system message."""
    return [{"role": "system", "content": system}, {"role": "user", "content": QUESTION}]


def agent(env: str) -> dict[str, Any]:
    """Return an agent that uses the prompt of an environment."""
    return {
        "name": "Support",
        "description": "Answers with the sample prompt. Provider mock: it needs no key.",
        "provider": PROVIDER,
        "prompt_ref": {"key": PROMPT, "env": env, "version": None},
    }


def workflow() -> dict[str, Any]:
    """Return a workflow of three steps."""
    return {
        "name": "Triage",
        "description": "Asks a model for a summary. Provider mock: it needs no key.",
        "steps": [
            {
                "name": "ask",
                "type": "render",
                "template": "Summarise in one sentence: {{question}}",
            },
            {"name": "summarise", "type": "model", "provider": PROVIDER},
            {"name": "tidy", "type": "transform", "op": "trim"},
        ],
    }


def is_unchanged_agent(row: AgentRow) -> bool:
    """Whether an agent is unchanged since the sample created it. The environment of its prompt
    doesn't count, because the order of the workspace's environments may have changed."""
    env = (row.prompt_ref or {}).get("env", "")
    return row.version == 1 and _has(row, agent(env))


def is_unchanged_workflow(row: WorkflowRow) -> bool:
    """Whether a workflow is unchanged since the sample created it."""
    return row.version == 1 and _has(row, workflow())


def _has(row: AgentRow | WorkflowRow, fields: dict[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in fields.items())


def without_tag(tags: str) -> str:
    """Return a prompt's tags without the sample's, which makes the prompt somebody's own."""
    return ",".join(tag for tag in tags.split(",") if tag.strip().casefold() != TAG)
