"""Agents, their versions and conversations."""

from harness.changes.rows import STEP_SECRET, Call, row
from harness.people import sent
from harness.platform import RunningPlatform, new_key
from promptops_platform.access.actor import STATIC_TOKEN
from promptops_platform.ids import new_id


@row("POST", "/api/agents", "create")
async def _create_agent(_platform: RunningPlatform) -> Call:
    return Call("/api/agents", {"key": new_key(), "prompt": "Hello"})


@row("PUT", "/api/agents/{agent_id}", "update")
async def _update_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}", {"prompt": "Good morning"})


@row("DELETE", "/api/agents/{agent_id}", "delete")
async def _delete_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}")


@row("POST", "/api/agents/{agent_id}/run")
async def _run_agent(platform: RunningPlatform) -> Call:
    """The same as for workflows."""
    url = f"/api/agents/{await agent(platform)}/run"
    return Call(url, {"api_key": STEP_SECRET}, status=503)


@row("POST", "/api/agents/{agent_id}/tools/try", "test")
async def _try_tool(platform: RunningPlatform) -> Call:
    """The tool's address is not allowed, so nothing is called."""
    tool = {"name": "look", "parameters": {"type": "object"}, "url": "https://tool.example.org/"}
    return Call(f"/api/agents/{await agent(platform)}/tools/try", {"tool": tool})


@row("POST", "/api/agents/{agent_id}/versions", "version")
async def _make_agent_version(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/versions", {})


@row("POST", "/api/agents/{agent_id}/publish", "publish")
async def _publish_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/publish", {})


@row("POST", "/api/agents/{agent_id}/rollback", "rollback")
async def _rollback_agent(platform: RunningPlatform) -> Call:
    """Rolls back to a version that isn't served."""
    url = f"/api/agents/{await agent(platform)}"
    sent(await platform.http.post(f"{url}/versions"))
    return Call(f"{url}/rollback", {"version": 1})


@row("POST", "/api/agents/{agent_id}/promote", "promote")
async def _promote_agent(platform: RunningPlatform) -> Call:
    return Call(f"/api/agents/{await agent(platform)}/promote", {"env": "test"})


@row("DELETE", "/api/agents/{agent_id}/conversations/{conversation_id}", "delete")
async def _delete_conversation(platform: RunningPlatform) -> Call:
    agent_id = await agent(platform)
    await remember(platform, agent_id, "chat-1")
    return Call(f"/api/agents/{agent_id}/conversations/chat-1")


async def agent(platform: RunningPlatform) -> str:
    """The id of a new agent."""
    body = {"key": new_key(), "prompt": "Hello"}
    return str(sent(await platform.http.post("/api/agents", json=body))["id"])


async def remember(platform: RunningPlatform, agent_id: str, name: str) -> None:
    """A conversation with one turn, as a run leaves it; there is no engine here."""
    rooms, run_id = platform.platform, new_id()
    async with rooms.database.write() as transaction:
        row = await rooms.agents.service.get(transaction, agent_id, actor=STATIC_TOKEN)
        seen = await rooms.agents.conversations.load(
            transaction, row, name, None, actor=STATIC_TOKEN
        )
        await rooms.agents.conversations.claim(transaction, seen, run_id)
    async with rooms.database.write() as transaction:
        turns = [{"role": "user", "content": "Hello"}]
        await rooms.agents.conversations.end(transaction, seen, run_id, turns)
