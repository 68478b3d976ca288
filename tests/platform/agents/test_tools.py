"""Agents with HTTP tools, against a model and tools on real sockets."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from harness.agent_tools import PROVIDER, ToolPlace, calls, says, tool_place
from harness.agents import run_agent, running, save_agent
from harness.engine import EngineProcess
from harness.people import sent
from harness.platform import RunningPlatform, new_key
from harness.prefect_runs import task_runs, until_state
from harness.prefect_server import PrefectServer
from harness.vendors import Answer, openai

__all__ = ["running"]


@pytest_asyncio.fixture
async def place() -> AsyncIterator[ToolPlace]:
    async with tool_place() as new_place:
        yield new_place


async def test_two_tools_are_called_at_once_and_the_model_is_told(
    running: RunningPlatform, place: ToolPlace, prefect_server: PrefectServer
) -> None:
    place.model.answers(
        calls(
            ("a", "forecast", '{"city": "Köln/Süd", "days": 2}'),
            ("b", "order", '{"item": "umbrella", "count": 1}'),
        ),
        says("Yes, and an umbrella is on its way."),
    )
    place.tools.answers(Answer.of_json({"rain": True}))
    agent = await save_agent(running, **place.agent())
    answer = await run_agent(running, agent, **place.run(variables={"city": "Köln"}))
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["result"]["output"] == "Yes, and an umbrella is on its way."
    assert [(step["name"], step["type"], step["state"]) for step in result["steps"]] == [
        ("render", "render", "Completed"),
        ("model", "model", "Completed"),
        ("tool: forecast", "tool", "Completed"),
        ("tool: order", "tool", "Completed"),
        ("model", "model", "Completed"),
    ]
    assert json.loads(result["steps"][2]["input"]) == {"city": "Köln/Süd", "days": 2}
    assert result["steps"][2]["output"] == '{"rain": true}'
    asked = {request.method: request for request in place.tools.requests}
    assert asked["GET"].path == "/v1/K%C3%B6ln%2FS%C3%BCd?units=metric&days=2"
    assert asked["GET"].headers["x-team"] == "red"
    assert (asked["POST"].path, asked["POST"].json) == ("/orders", {"item": "umbrella", "count": 1})
    assert [(message["role"], message.get("content")) for message in place.model_messages] == [
        ("user", "Will it rain in Köln?"),
        ("assistant", place.model_messages[1].get("content")),
        ("tool", '{"rain": true}'),
        ("tool", '{"rain": true}'),
    ]
    assert [message["tool_call_id"] for message in place.model_messages[2:]] == ["a", "b"]
    tasks = task_runs(prefect_server, result["flow_run_id"], 5)
    assert {task["state_name"] for task in tasks} == {"Completed"}
    names = sorted(task["name"] for task in tasks)
    assert names == ["model", "model", "render", "tool: forecast", "tool: order"]


@pytest.mark.parametrize(
    ("call", "answer", "sentence"),
    [
        (
            ("a", "forecast", '{"days": 9}'),
            None,
            "the arguments don't match the tool's schema: ",
        ),
        (
            ("a", "nothing", "{}"),
            None,
            "no such tool: 'nothing'; the tools are: forecast, order",
        ),
        (("a", "forecast", '{"city": ".."}'), None, "changes its target; give them a value"),
        (("a", "forecast", '{"city": "x"}'), Answer([b"gone"], 410), "answered HTTP 410: gone"),
        (
            ("a", "forecast", '{"city": "x"}'),
            Answer([], 302, {"location": "http://169.254.169.254/"}),
            "answered HTTP 302, and redirects are not followed",
        ),
        (
            ("a", "forecast", '{"city": "x"}'),
            Answer([b"x"], 200, {"content-encoding": "gzip"}),
            "could not be read: its gzip breaks off",
        ),
        (("a", "forecast", '{"city": "x"}'), Answer([b"nothing"], raw=True), "can't be reached"),
    ],
)
async def test_an_error_of_a_tool_is_told_to_the_model_and_the_run_goes_on(
    running: RunningPlatform,
    place: ToolPlace,
    call: tuple[str, str, str],
    answer: Answer | None,
    sentence: str,
) -> None:
    place.model.answers(calls(call), says("I could not find out."))
    place.tools.answers(answer or Answer.of_json({}))
    agent = await save_agent(running, **place.agent())
    result = (await run_agent(running, agent, **place.run())).json()
    assert result["result"]["output"] == "I could not find out."
    step = result["steps"][2]
    assert (step["name"], step["state"]) == (f"tool: {call[1]}", "Failed")
    assert sentence in step["error"]
    assert place.model_messages[-1]["content"] == f"error: {step['error']}"
    assert bool(place.tools.requests) == (answer is not None)


async def test_arguments_that_cannot_be_used_are_told_to_the_model(
    running: RunningPlatform, place: ToolPlace
) -> None:
    cut = openai.chat(
        None, finish="length", tool_calls=[openai.chat_call("c", "order", '{"item": "umb')]
    )
    place.model.answers(
        calls(("a", "order", "[1]"), ("b", "forecast", '{"city": "Bonn", "days": 1}')),
        Answer.of_json(cut),
        says("<think>Enough.</think>I could not order it."),
    )
    place.tools.answers(Answer.of_json({"rain": True}))
    agent = await save_agent(running, **place.agent())
    answer = await run_agent(running, agent, **place.run())
    assert answer.status_code == 200, answer.text
    tool_messages = [
        message["content"] for message in place.model_messages if message["role"] == "tool"
    ]
    assert (
        tool_messages[0] == "error: the arguments of this call are a JSON list; send a JSON object"
    )
    assert tool_messages[1] == '{"rain": true}'
    assert "its limit of tokens" in tool_messages[2]
    assert [request.method for request in place.tools.requests] == ["GET"]


async def test_a_tool_that_is_slow_or_talks_too_much_is_bounded(
    running: RunningPlatform, place: ToolPlace
) -> None:
    slow, hold = Answer([b"a", b"b"]).held_after(1)
    place.tools.answers(slow)
    fields = place.agent()
    fields["tools"][0]["timeout_seconds"] = 0.3
    agent = await save_agent(running, **fields)
    place.model.answers(calls(("a", "forecast", '{"city": "x"}')), says("ok"))
    result = (await run_agent(running, agent, **place.run())).json()
    hold.release()
    assert result["steps"][2]["error"] == "the tool did not answer within 0.3 s"

    fields["tools"][0] |= {"timeout_seconds": 30, "max_response_bytes": 4}
    await running.http.put(f"/api/agents/{agent['id']}", json={"tools": fields["tools"]})
    place.tools.answers(Answer([b"abc", b"def"]))
    place.model.answers(calls(("a", "forecast", '{"city": "x"}')), says("ok"))
    result = (await run_agent(running, agent, **place.run())).json()
    assert result["steps"][2]["output"] == "abcd\n[cut off after 4 bytes]"


async def test_a_tool_may_not_call_what_is_not_allowed(
    running: RunningPlatform, place: ToolPlace
) -> None:
    fields = place.agent()
    for url, why in (
        ("http://169.254.169.254/{{city}}", "host 169.254.169.254 is never called"),
        ("https://api.openai.com/{{city}}", "PROMPTOPS_TOOL_HOSTS"),
    ):
        fields["tools"][0]["url"] = url
        agent = await save_agent(running, **fields)
        place.model.answers(calls(("a", "forecast", '{"city": "x"}')), says("ok"))
        result = (await run_agent(running, agent, **place.run())).json()
        assert why in result["steps"][2]["error"]


async def test_an_agent_that_never_answers_ends_at_max_steps(
    running: RunningPlatform, place: ToolPlace
) -> None:
    place.model.answers(calls(("a", "forecast", '{"city": "x"}')))
    place.tools.answers(Answer.of_json({}))
    agent = await save_agent(running, **place.agent(max_steps=3))
    answer = await run_agent(running, agent, **place.run())
    assert answer.status_code == 502
    failed = answer.json()
    assert failed["error"] == (
        "step 6 (model): the agent has used up its max_steps of 3 model calls and still asks for "
        "tools; raise max_steps, or say in the prompt when to stop"
    )
    assert (len(place.model.requests), len(place.tools.requests)) == (3, 2)
    assert failed["usage"]["prompt_tokens"] == 57


SHAPE = {
    "type": "object",
    "properties": {"rain": {"type": "boolean"}},
    "required": ["rain"],
    "additionalProperties": False,
}


async def test_a_structured_answer_is_repaired_once(
    running: RunningPlatform, place: ToolPlace
) -> None:
    agent = await save_agent(running, **place.agent(output_schema=SHAPE, tools=[]))
    place.model.answers(says('```json\n{"rain": true}\n```'))
    result = (await run_agent(running, agent, **place.run())).json()
    assert (result["structured"], len(place.model.requests)) == ({"rain": True}, 1)

    place.model.answers(says('{"rain": "maybe"}'), says('{"rain": false}'))
    result = (await run_agent(running, agent, **place.run())).json()
    assert result["structured"] == {"rain": False}
    assert result["result"]["output"] == '{"rain": false}'
    assert [step["name"] for step in result["steps"]] == ["render", "model", "model"]
    assert "rain: 'maybe' is not of type 'boolean'" in place.model_messages[-1]["content"]

    place.model.answers(says("no"))
    answer = await run_agent(running, agent, **place.run())
    assert answer.status_code == 502
    assert answer.json()["error"].startswith(
        "step 3 (model): the answer does not match output_schema, even after one repair: it is not "
        "JSON"
    )


async def test_nothing_of_a_run_reaches_prefect_or_the_engines_log(
    running: RunningPlatform,
    place: ToolPlace,
    prefect_server: PrefectServer,
    engine: EngineProcess,
) -> None:
    place.model.answers(
        calls(("a", "forecast", '{"city": "a-private-place"}')), says("a-private-answer")
    )
    place.tools.answers(Answer([b"a-private-result sk-of-the-run"], 500))
    agent = await save_agent(running, **place.agent(prompt="a-private-prompt {{x}}"))
    body: dict[str, Any] = place.run(variables={"x": "sk-of-the-run"}, input="a-private-turn")
    result = (await run_agent(running, agent, **body)).json()
    assert "[redacted]" in result["steps"][2]["error"]
    logged = await running.http.get(f"/api/runs/{result['run_id']}")
    assert "a-private-prompt [redacted]" in logged.text
    assert "sk-of-the-run" not in logged.text

    await until_state(prefect_server, "Completed", result["flow_run_id"])
    stored = b"".join(path.read_bytes() for path in prefect_server.data.rglob("prefect.db*"))
    assert agent["key"].encode() in stored
    kept = b"sk-of-the-run", b"a-private-prompt", b"a-private-turn", b"a-private-place"
    for text in (*kept, b"a-private-result", b"a-private-answer"):
        assert text not in stored
        assert text not in engine.log.read_bytes()


async def test_a_stored_key_is_used_and_read_by_nobody(
    running: RunningPlatform, place: ToolPlace
) -> None:
    name, key = new_key(), "sk-stored-and-secret"
    connection = {"name": name, "kind": PROVIDER, "base_url": place.model.url, "api_key": key}
    sent(await running.http.post("/api/providers", json=connection))
    place.model.answers(calls(("a", "order", json.dumps({"item": key, "count": 1}))), says(key))
    place.tools.answers(Answer.of_json({"got": key}))
    agent = await save_agent(running, **place.agent(provider=name, model=""))
    answer = await run_agent(running, agent, conversation_id="c")
    assert place.model.seen.headers["authorization"] == f"Bearer {key}"
    assert place.tools.seen.json["item"] == "[redacted]"
    url = f"/api/agents/{agent['id']}"
    result = answer.json()
    assert result["result"]["provider"] == name
    assert result["result"]["output"] == "[redacted]"
    for path in (url, f"{url}/conversations/c", f"/api/runs/{result['run_id']}"):
        assert key not in (await running.http.get(path)).text
    assert key not in answer.text
    gone = await running.http.get("/api/providers", params={"q": name})
    await running.http.delete(f"/api/providers/{gone.json()['data'][0]['id']}")
    refused = await run_agent(running, agent)
    assert refused.status_code == 400
    assert "unknown in this workspace" in refused.json()["error"]


async def test_a_key_in_a_variable_is_asked_with_and_not_kept(
    running: RunningPlatform, place: ToolPlace
) -> None:
    place.model.answers(says("ok"))
    agent = await save_agent(running, **place.agent(tools=[]))
    body = place.run(variables={"city": "sk-of-the-run"}, conversation_id="k")
    answer = await run_agent(running, agent, **body)
    assert answer.json()["rendered"] == "Will it rain in [redacted]?"
    assert place.model_messages[-1]["content"] == "Will it rain in sk-of-the-run?"
    kept = await running.http.get(f"/api/agents/{agent['id']}/conversations/k")
    assert "Will it rain in [redacted]?" in kept.text
    assert "sk-of-the-run" not in kept.text


async def test_the_log_has_what_each_call_of_the_model_was_told(
    running: RunningPlatform, place: ToolPlace
) -> None:
    """Each text once: what was said before stands in the steps before."""
    agent = await save_agent(running, **place.agent(output_schema=SHAPE))
    place.model.answers(
        calls(("a", "forecast", '{"city": "x"}'), ("b", "forecast", '{"city": "y"}')),
        says("no"),
        says('{"rain": true}'),
    )
    place.tools.answers(Answer.of_json({"rain": 1}))
    body = place.run(variables={"city": "Oslo"}, input="Please.", conversation_id="c")
    result = (await run_agent(running, agent, **body)).json()
    logged = sent(await running.http.get(f"/api/runs/{result['run_id']}"))
    model_inputs = [step["input"] for step in logged["steps"] if step["type"] == "model"]
    assert model_inputs[0] == "Will it rain in Oslo?\n\nPlease."
    assert model_inputs[1] == '{"rain": 1}\n\n{"rain": 1}'
    assert model_inputs[2].startswith("Your answer does not match the JSON Schema")
    place.model.answers(says('{"rain": false}'))
    result = (await run_agent(running, agent, **body | {"input": "And now?"})).json()
    logged = sent(await running.http.get(f"/api/runs/{result['run_id']}"))
    assert logged["steps"][1]["input"].endswith('{"rain": true}\n\nAnd now?')


async def test_results_that_outgrow_the_window_are_cut_and_the_trace_says_so(
    running: RunningPlatform, place: ToolPlace
) -> None:
    too_long = openai.error(400, "too long", "invalid_request_error", "context_length_exceeded")
    call = ("forecast", '{"city": "x"}')
    place.model.answers(calls(("a", *call)), calls(("b", *call)), too_long, too_long, says("Dry."))
    place.tools.answers(Answer([b"o" * 40_000]), Answer([b"n" * 2_000]))
    agent = await save_agent(running, **place.agent())
    answer = await run_agent(running, agent, **place.run())
    result = answer.json()
    assert result["result"]["output"] == "Dry."
    *_, last = result["steps"]
    assert [len(note) > 50 for note in last["notes"]] == [True]
    assert "1 tool result(s) were cut from 40,000 to 8,500 characters" in last["notes"][0]
    tool_messages = [
        message["content"] for message in place.model_messages if message["role"] == "tool"
    ]
    assert tool_messages[0].startswith("o" * 200)
    assert "[cut off here" in tool_messages[0]
    assert tool_messages[1] == "n" * 2_000
    run = (await running.http.get(f"/api/runs/{result['run_id']}")).json()["data"]
    assert [step["notes"] for step in run["steps"]] == [[], [], [], [], [], last["notes"]]


async def test_a_refusal_that_was_paid_for_is_logged_with_its_usage(
    running: RunningPlatform, place: ToolPlace
) -> None:
    place.model.answers(Answer.of_json(openai.chat("", finish="sensitive")))
    agent = await save_agent(running, **place.agent(tools=[]))
    failed = (await run_agent(running, agent, **place.run())).json()
    assert (failed["usage"]["prompt_tokens"], failed["usage"]["estimated"]) == (19, False)
    run = (await running.http.get(f"/api/runs/{failed['run_id']}")).json()["data"]
    assert (run["status"], run["prompt_tokens"], run["output_tokens"]) == ("error", 19, 10)


async def test_what_the_model_calls_itself_and_its_tools_is_a_text_like_others(
    running: RunningPlatform, place: ToolPlace
) -> None:
    key = place.run()["api_key"]
    half = "\ud83d"
    body = openai.chat(
        f"So {half}",
        finish="tool_calls",
        tool_calls=[openai.chat_call(f"id{half}", f"to{half}ol\x00 of {key}", '{"a": "\\ud83d"}')],
    )
    place.model.answers(Answer.of_json(body | {"model": f"m\x00{half} {key}"}), says("ok"))
    agent = await save_agent(running, **place.agent())
    answer = await run_agent(running, agent, **place.run())
    assert answer.status_code == 200, answer.text
    result = answer.json()
    run = await running.http.get(f"/api/runs/{result['run_id']}")
    for shown in (answer.text, run.text):
        assert key not in shown
    assert result["steps"][1]["model"] == "m\ufffd\ufffd [redacted]"
    assert result["steps"][2]["name"] == "tool: to\ufffdol\ufffd of [redacted]"
