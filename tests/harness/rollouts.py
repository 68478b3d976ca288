"""Prompts with several versions, and rollouts of them."""

from typing import Any

import httpx

from harness.platform import RunningPlatform


async def published(platform: RunningPlatform, *contents: str, env: str = "prod") -> dict[str, Any]:
    """A prompt with these contents published as v1, v2 and so on; the last one is served."""
    prompt = await platform.create(env=env, content=contents[0], model="m1")
    await platform.publish(prompt["id"])
    for number, content in enumerate(contents[1:], start=2):
        edit = {"content": content, "model": f"m{number}"}
        await platform.http.put(f"/api/prompts/{prompt['id']}", json=edit)
        await platform.publish(prompt["id"])
    return prompt


async def put(platform: RunningPlatform, prompt: dict[str, Any], **fields: Any) -> httpx.Response:
    """The response to setting the prompt's rollout."""
    return await platform.http.put(f"/api/prompts/{prompt['id']}/rollout", json=fields)


async def spread(platform: RunningPlatform, prompt: dict[str, Any], **fields: Any) -> Any:
    """A rollout that was set."""
    answer = await put(platform, prompt, **{"enabled": True, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def halves(first: str = "v1", second: str = "v2") -> dict[str, Any]:
    """The A/B form, half and half."""
    return {"variant_a": first, "variant_b": second, "weight_a": 50}


def variants(*weights: int) -> list[dict[str, Any]]:
    """Variants named `one`, `two` and so on, of the versions v1, v2 and so on."""
    names = ("one", "two", "three", "four")
    return [
        {"name": name, "version": f"v{number}", "weight": weight}
        for number, (name, weight) in enumerate(zip(names, weights, strict=False), start=1)
    ]
