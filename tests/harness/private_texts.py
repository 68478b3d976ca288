"""Runs of every kind with recognizable texts, addresses and keys, which tests search for
afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from harness.agent_tools import ToolPlace, calls, says, streams, tool_place
from harness.platform import RunningPlatform, new_key, until_found
from harness.vendors import Answer
from harness.vendors.openai import chat, error

# Test numbers, which belong to nobody.
CARDS = {"none": 4111111111111111, "redact": 5555555555554444, "full": 378282246310005}


class Marks:
    """Texts that occur nowhere else; `name`, one of `CARDS`, distinguishes the texts of different
    tests."""

    def __init__(self, name: str) -> None:
        self.text = f"zebra-{name}-at-dawn"
        # Part of a step's name, which its definition contains.
        self.author = f"author.{name}@private.example.org"
        self.email = f"ada.{name}@private.example.org"
        self.key = f"sk-thatIsTheKeyOf{name}1234"
        # What the caller of a run passes for its vendor.
        self.own_key = f"own-credential-of-{name}-4711"
        self.card = str(CARDS[name])
        self.customer = f"CUST-{self.card[::-1]}"
        self.all = f"{self.text} {self.email}\n{self.key} {self.customer}"
        self.chat_id = f"chat-with-{self.email}"
        self.variables: dict[str, Any] = {
            "city": self.all,
            "card": CARDS[name],
            f"of {self.email}": {"deep": [self.all, {self.key: CARDS[name]}]},
        }


@dataclass
class PrivateRuns:
    """Starts runs and records how they ended."""

    platform: RunningPlatform
    place: ToolPlace
    marks: Marks
    statuses: list[int] = field(default_factory=list)
    flow_runs: list[str] = field(default_factory=list)

    @property
    def http(self) -> httpx.AsyncClient:
        return self.platform.http

    async def workflow(self, steps: Sequence[Mapping[str, Any]], **body: Any) -> dict[str, Any]:
        workflow = await self._saved("workflows", steps=steps)
        return await self._run("workflows", workflow, **body)

    async def agent(self, body: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        agent = await self._saved("agents", **self.place.agent(**fields))
        return await self._run("agents", agent, **body)

    async def detached(self, steps: Sequence[Mapping[str, Any]], **body: Any) -> str:
        """The id of a new run with `"wait": false`."""
        workflow = await self._saved("workflows", steps=steps)
        url = f"/api/workflows/{workflow['id']}/run"
        answer = await self.http.post(url, json={"wait": False, **body})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    async def ended(self, run_id: str) -> dict[str, Any]:
        """A detached run once it has ended."""

        async def look() -> list[dict[str, Any]]:
            answer = await self.http.get(f"/api/runs/{run_id}")
            run = answer.raise_for_status().json()["data"]
            return [] if run["status"] == "running" else [run]

        (run,) = await until_found(look)
        self.statuses.append(200 if run["status"] == "ok" else 502)
        # A run that was cancelled while it was queued has none.
        self.flow_runs += filter(None, [run["flow_run_id"]])
        return run

    async def lose(self, run_id: str) -> None:
        """Cut the platform's connection to the engine during that run."""
        started = self.platform.platform.execution.detached.active[run_id].started
        assert started is not None
        await started.close()

    async def playground(self, **body: Any) -> httpx.Response:
        variables = self.marks.variables
        asked = {"content": "Hello {{city}}", "variables": variables, **self.place.run(**body)}
        answer = await self.http.post("/api/playground/run", json=asked)
        self.statuses.append(answer.status_code)
        return answer

    async def conversation(self) -> list[str]:
        """The model's input in the second run of a conversation."""
        words = self.marks.all
        agent = await self._saved("agents", **self.place.agent(tools=[], prompt="Be kind."))
        self.place.model.answers(says(f"I see, {words}"), says("You said it."))
        for text in (words, "What did I say?"):
            body = self.place.run(input=text, conversation_id=self.marks.chat_id)
            await self._run("agents", agent, **body)
        return [message.get("content") or "" for message in self.place.model_messages]

    async def all_conversations(self) -> list[dict[str, Any]]:
        """Every conversation of every agent, with its messages."""
        conversations = []
        for agent in (await self.http.get("/api/agents")).json()["data"]:
            url = f"/api/agents/{agent['id']}/conversations"
            for row in (await self.http.get(url)).json()["data"]:
                read = await self.http.get(f"{url}/{row['id']}")
                conversations.append(read.raise_for_status().json()["data"])
                # Also by the id of its caller.
                by_own_id = await self.http.get(f"{url}/{self.marks.chat_id}")
                assert by_own_id.json()["data"] == conversations[-1]
        return conversations

    async def _saved(self, kind: str, **fields: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/api/{kind}", json={"key": new_key(), **fields})
        assert answer.status_code == 200, answer.text
        saved: dict[str, Any] = answer.json()["data"]
        return saved

    async def _run(self, kind: str, saved: Mapping[str, Any], **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/api/{kind}/{saved['id']}/run", json=body)
        self.statuses.append(answer.status_code)
        result: dict[str, Any] = answer.json()
        assert "flow_run_id" in result, answer.text
        self.flow_runs.append(result["flow_run_id"])
        return result


@asynccontextmanager
async def private_runs(platform: RunningPlatform, marks: Marks) -> AsyncIterator[PrivateRuns]:
    async with tool_place() as place:
        yield PrivateRuns(platform, place, marks)


async def run_workflows(runs: PrivateRuns) -> None:
    """Runs that succeed, and runs whose vendor or template fails."""
    marks = runs.marks
    render = {"name": f"mail {marks.author}", "type": "render", "template": "Say {{city}} {{card}}"}
    call = {"name": "call", "type": "model", "provider": "openai-compatible", "model": "scripted"}
    echo = {"name": "echo", "type": "model", "model": "mock-echo"}
    loud = {"name": "loud", "type": "transform", "op": "upper"}
    done = await runs.workflow([render, echo, loud], variables=marks.variables)
    assert marks.text.upper() in done["output"]

    own = {"api_key": marks.own_key, "base_url": runs.place.model.url, "variables": marks.variables}
    for status, kind in ((400, "invalid_request_error"), (401, "auth"), (500, "server_error")):
        runs.place.model.answers(error(status, f"no: {marks.all} {marks.own_key}", kind))
        failed = await runs.workflow([render, call], **own)
        assert failed["error"]
    runs.place.model.answers(Answer.of_json({**chat(marks.all), "model": f"model {marks.all}"}))
    await runs.workflow([render, call], **own)
    runs.place.model.answers(Answer.of_json({**chat(marks.all), "model": marks.email}))
    await runs.workflow([render, call], **own)
    large = {"type": "render", "template": "{{city}}" * 20}
    failed = await runs.workflow([large], variables={"city": marks.all * 2_000})
    assert "longer than" in failed["error"]


async def run_durably(runs: PrivateRuns) -> None:
    """A run that fails, its retry if it can be retried, a run that is resumed after its engine was
    lost, and runs that are cancelled while they run and while they are queued, on a platform with
    one place."""
    marks = runs.marks
    render = {"name": f"mail {marks.author}", "type": "render", "template": "Say {{city}} {{card}}"}
    call = {"name": "call", "type": "model", "provider": "openai-compatible", "model": "scripted"}
    own = {"api_key": marks.own_key, "base_url": runs.place.model.url}
    runs.place.model.answers(error(400, f"no: {marks.all}", "invalid_request_error"))
    run_id = await runs.detached([render, call], **own, variables=marks.variables)
    assert (await runs.ended(run_id))["state"] == "failed"
    runs.place.model.answers(streams(marks.all))
    answer = await runs.http.post(f"/api/runs/{run_id}/retry", json=own)
    assert answer.status_code == (409 if "none" in marks.text else 202), answer.text
    if answer.status_code == 202:
        assert (await runs.ended(answer.json()["data"]["id"]))["state"] == "completed"
    slow, hold = streams(marks.all).held_after(0)
    runs.place.model.answers(slow, streams(marks.all))
    run_id = await runs.detached([render, call], **own, variables=marks.variables)
    await hold.reached.wait()
    await runs.lose(run_id)
    resumed = await runs.ended(run_id)
    assert (resumed["state"], resumed["attempt"]) == ("completed", 2)
    hold.release()
    slow, hold = streams(marks.all).held_after(0)
    runs.place.model.answers(slow)
    run_id = await runs.detached([render, call], **own, variables=marks.variables)
    await hold.reached.wait()
    queued_id = await runs.detached([render, call], **own, variables=marks.variables)
    for cancelled_id in (queued_id, run_id):
        cancelled = await runs.http.post(f"/api/runs/{cancelled_id}/cancel")
        assert cancelled.status_code == 202, cancelled.text
    queued = await runs.ended(queued_id)
    assert (queued["state"], queued["flow_run_id"]) == ("cancelled", None)
    assert (await runs.ended(run_id))["state"] == "cancelled"
    hold.release()


async def run_agents(runs: PrivateRuns) -> None:
    """A run that calls all tools, with wrong and right arguments, and runs that fail."""
    marks = runs.marks
    city = json.dumps({"city": marks.all})
    runs.place.model.answers(
        calls(
            (marks.all, "forecast", city),
            ("b", "forecast", json.dumps({"days": marks.all})),
            ("c", marks.text, "{}"),
            ("d", marks.key, "{}"),
            ("e", "order", json.dumps({"item": marks.all, "count": 1})),
        ),
        says(marks.all),
    )
    runs.place.tools.answers(Answer([marks.all.encode()], 410))
    body = runs.place.run(variables=marks.variables, input=marks.all, subject=marks.email)
    done = await runs.agent(body)
    assert [step["state"] for step in done["steps"]].count("Failed") == 5
    runs.place.tools.answers(Answer([marks.all.encode()]))
    runs.place.model.answers(calls(("a", "forecast", city)), says(marks.all))
    await runs.agent(runs.place.run(variables=marks.variables))

    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    runs.place.model.answers(says(json.dumps({"n": marks.all})))
    failed = await runs.agent(body, tools=[], output_schema=schema)
    assert "does not match output_schema" in failed["error"]
    runs.place.model.answers(error(400, f"no: {marks.all}", "invalid_request_error"))
    await runs.agent(body)
    await runs.agent(body, max_steps=1, provider="mock", model="mock-tools")


async def run_playground(runs: PrivateRuns) -> None:
    """Answered, streamed, refused, and refused in the middle of a stream."""
    marks = runs.marks
    model = {"provider": "openai-compatible", "model": "scripted"}
    runs.place.model.answers(says(marks.all))
    await runs.playground(**model)
    await runs.playground(provider="mock", model="mock-echo", stream=True)
    runs.place.model.answers(error(400, f"no: {marks.all}", "invalid_request_error"))
    await runs.playground(**model)
    runs.place.model.answers(
        Answer.of_events(
            [
                {"choices": [{"index": 0, "delta": {"content": marks.all}}]},
                {"error": {"message": marks.all, "type": "server_error"}},
            ]
        )
    )
    await runs.playground(**model, stream=True)


def files_with(folders: Sequence[Path], *markers: str) -> dict[str, list[str]]:
    """The files that contain one of the markers, ignoring case."""
    files: dict[str, list[str]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if not path.is_file():
            continue
        content = path.read_bytes().lower()
        held = [marker for marker in markers if marker.lower().encode() in content]
        if held:
            files[path.name] = held
    return files
