"""Responses with whole prompts."""

from typing import Any

from pydantic import BaseModel, Field

from promptops_platform.http.examples import example


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
    """The response to a fetch with `full=true`. `rollout` is null if none is running."""

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
