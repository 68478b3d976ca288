"""The reasoning of a server of Chat Completions, through tool loops and conversations."""

from typing import Any

from harness.agent_tools import tool_place
from harness.agents import run_agent, running, save_agent
from harness.platform import RunningPlatform
from harness.vendors import Answer, openai

__all__ = ["running"]

SIGNED = {"google": {"thought_signature": "CiQB0e2Kb4hT"}}
DETAILS = [{"type": "reasoning.encrypted", "data": "gAAAAA", "index": 0}]


def thinks(answer: dict[str, Any], thought: str) -> Answer:
    answer["choices"][0]["message"].update(reasoning_content=thought, reasoning_details=DETAILS)
    return Answer.of_json(answer)


async def test_reasoning_is_returned_in_tool_loops_and_conversations(
    running: RunningPlatform,
) -> None:
    call = openai.chat_call("a", "forecast", '{"city": "Oslo"}') | {"extra_content": SIGNED}
    asks = openai.chat(None, finish="tool_calls", tool_calls=[call])
    async with tool_place() as place:
        place.tools.answers(Answer.of_json({"rain": True}))
        agent = await save_agent(running, **place.agent())
        place.model.answers(thinks(asks, "I need it"), thinks(openai.chat("Yes."), "It rains"))
        body = place.run(variables={"city": "Oslo"}, input="Well?", conversation_id="c")
        answer = await run_agent(running, agent, **body)
        assert answer.status_code == 200, answer.text
        assert place.model_messages[-2]["reasoning_content"] == "I need it"
        place.model.answers(Answer.of_json(openai.chat("No.")))
        answer = await run_agent(running, agent, **body | {"input": "And tomorrow?"})
        assert answer.status_code == 200, answer.text
    first, last = (turn for turn in place.model_messages if turn["role"] == "assistant")
    assert first["reasoning_content"] == "I need it"
    assert first["reasoning_details"] == DETAILS
    assert first["tool_calls"][0]["extra_content"] == SIGNED
    assert last["reasoning_content"] == "It rains"
    assert "I need it" not in answer.text
