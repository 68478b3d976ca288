"""Live connections and whole prompts on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example


class LiveClient(Resource):
    """`revision` and what follows is what a client that resumes has reported."""

    model_config = example(
        id="9b8a7c6d5e4f3021",
        client_type="python",
        app="mailer",
        namespace="prod",
        remote_addr="127.0.0.1",
        user_agent="promptops-python/0.2.0",
        connected_at="2026-03-14T09:26:53.589793Z",
        version="0.2.0",
        revision=4711,
        lag_revisions=0,
        lag_seconds=0.0,
        reported_at="2026-03-14T09:28:01.120394Z",
        keys=12,
        replica="0198a3b2c4d5e6f7",
        silent=False,
    )

    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime
    version: str = Field(description="Of the SDK; empty where it does not say.")
    revision: int | None = Field(description="What it has applied; null where it does not say.")
    lag_revisions: int | None = Field(
        description="Changes of what it watches that it has not applied yet."
    )
    lag_seconds: float | None = Field(
        description="How long the first of these has waited; 0 where there is none."
    )
    reported_at: datetime | None = Field(description="Of its last report.")
    keys: int | None = Field(
        description="How many prompts it holds; 1001 means more than 1000, null that it does "
        "not say."
    )
    replica: str = Field(description="The process that it is connected to.")
    silent: bool = Field(description="Whether it reports nothing, as clients of old.")


def _variant(version: str) -> dict[str, Any]:
    return {
        "name": f"with {version}",
        "weight": 5000,
        "version": version,
        "model": "gpt-4o-mini",
        "content": "Good morning, {{who}}!",
        "kind": "text",
        "messages": [],
        "config": {},
        "variables": ["who"],
    }


class WholeVariant(BaseModel):
    name: str
    weight: int = Field(description="In basis points.")
    version: str
    model: str
    content: str
    kind: str
    messages: list[dict[str, Any]]
    config: dict[str, Any]
    variables: list[str]


class WholeRollout(BaseModel):
    salt: str
    variants: list[WholeVariant]


class WholePrompt(BaseModel):
    """As a fetch with `full=true` answers it; `rollout` is null while none is on."""

    key: str
    version: str
    env: str
    model: str
    content: str
    kind: str
    messages: list[dict[str, Any]]
    config: dict[str, Any]
    variables: list[str]
    rollout: WholeRollout | None


class EnvironmentSnapshot(BaseModel):
    model_config = example(
        epoch="0198a3b2c4d5e6f70198a3b2c4d5e6f7",
        revision=4711,
        env="prod",
        prompts=[
            {
                "key": "greeting",
                "version": "v2",
                "env": "prod",
                "model": "gpt-4o-mini",
                "content": "Good morning, {{who}}!",
                "kind": "text",
                "messages": [],
                "config": {},
                "variables": ["who"],
                "rollout": {"salt": "greeting", "variants": [_variant("v1"), _variant("v2")]},
            }
        ],
    )

    epoch: str
    revision: int
    env: str
    prompts: list[WholePrompt]
