"""Requests and responses of the sample."""

from typing import Literal

from pydantic import BaseModel

from promptops_platform.access.schemas import Done
from promptops_platform.field_types import OptionalLine
from promptops_platform.http.examples import example


class SampleRequest(BaseModel):
    """The workspace that gets the sample; by default that of the API key, else `default`."""

    model_config = example(workspace="default")

    workspace: OptionalLine = None


class SampleState(BaseModel):
    """Whether a workspace has the sample."""

    model_config = example(installed=False, workspace_id="default")

    installed: bool
    workspace_id: str


class Sample(BaseModel):
    """The created sample. `api_key` is shown in this response only; `env` is the environment
    that it may fetch."""

    model_config = example(
        workspace_id="default",
        prompt_key="sample.support-reply",
        environments=["dev", "prod"],
        env="prod",
        agent_id="6d7e8f90a1b2c3d4",
        workflow_id="7e8f90a1b2c3d4e5",
        api_key="pok_8Kq2",
    )

    workspace_id: str
    prompt_key: str
    environments: list[str]
    env: str
    agent_id: str
    workflow_id: str
    api_key: str


class KeptPart(BaseModel):
    """A part of the sample that remains: an agent or a workflow that somebody has edited
    (`edited`), or a part that another agent or workflow uses (`used`)."""

    model_config = example(
        kind="agent", id="6d7e8f90a1b2c3d4", key="sample-support", env=None, reason="edited"
    )

    kind: Literal["agent", "workflow", "prompt"]
    id: str
    key: str
    env: str | None = None
    reason: Literal["edited", "used"]


class SampleRemoved(Done):
    """The result of removing the sample. `kept` are the parts that remain."""

    model_config = example(
        ok=True,
        kept=[
            {
                "kind": "agent",
                "id": "6d7e8f90a1b2c3d4",
                "key": "sample-support",
                "env": None,
                "reason": "edited",
            }
        ],
    )

    kept: list[KeptPart]
