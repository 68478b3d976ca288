"""Stored connections in a real engine: steps use their keys, and nobody can read them."""

from harness.engine import READY_SECONDS, EngineProcess, request, run_to_end
from harness.prefect_runs import task_runs
from harness.prefect_server import PrefectServer
from harness.vendors import Answer, fake_vendor
from promptops_flows.steps.models import Connection

STORED, OWN = "sk-stored-0a1b2c3d4e", "sk-own-5f6a7b8c9d"
# The vendor's response, which repeats the key.
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "served-model",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": f"your key is {STORED}"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


async def test_a_step_uses_the_stored_key_and_neither_prefect_nor_log_nor_trace_has_it(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with fake_vendor(Answer.of_json(CHAT)) as vendor:
        asked = request(
            [{"name": f"ask {STORED}", "type": "model", "provider": "team"}],
            variables={"key": STORED},
            key="stored-connection",
            connections=(
                Connection("team", "openai-compatible", STORED, vendor.url, "wanted-model"),
            ),
        )
        record = await run_to_end(engine.client(), asked)
    assert vendor.seen.headers["authorization"] == f"Bearer {STORED}"
    assert vendor.seen.json["model"] == "wanted-model"
    (step,) = record.steps
    assert (step.provider, step.model) == ("team", "served-model")
    assert record.result.output == "your key is [redacted]"
    assert STORED not in repr(record)

    (task,) = task_runs(prefect_server, record.flow_run_id, 1)
    assert task["state_name"] == "Completed"
    stored = b"".join(path.read_bytes() for path in prefect_server.data.rglob("prefect.db*"))
    assert b"stored-connection" in stored
    for text in (stored, engine.log.read_bytes()):
        assert STORED.encode() not in text


async def test_a_stored_key_is_not_sent_to_an_address_of_the_callers(
    engine: EngineProcess,
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    steps = [{"type": "model", "provider": "team", "model": "m"}]
    async with fake_vendor(Answer.of_json(CHAT)) as own, fake_vendor() as stored:
        connection = Connection("team", "openai-compatible", STORED, stored.url)
        for request_fields, expected in ({}, None), ({"api_key": OWN}, f"Bearer {OWN}"):
            asked = request(steps, base_url=own.url, connections=(connection,), **request_fields)
            assert (await run_to_end(engine.client(), asked)).result.status == "ok"
            assert own.seen.headers.get("authorization") == expected
    assert not stored.requests


async def test_fallbacks_use_their_own_keys(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    busy = Answer.of_json({"error": {"message": f"slow down {STORED}"}}, 429)
    steps = [
        {"type": "model", "provider": "first", "fallbacks": [{"provider": "spare", "model": "m"}]}
    ]
    async with fake_vendor(busy) as first, fake_vendor(Answer.of_json(CHAT)) as spare:
        connections = (
            Connection("first", "openai-compatible", OWN, first.url, "m"),
            Connection("spare", "openai-compatible", STORED, spare.url),
        )
        record = await run_to_end(engine.client(), request(steps, connections=connections))
        assert record.steps[0].provider == "spare"
        assert first.seen.headers["authorization"] == f"Bearer {OWN}"
        assert spare.seen.headers["authorization"] == f"Bearer {STORED}"
        spare.answers(busy)
        failed = await run_to_end(engine.client(), request(steps, connections=connections))
    assert failed.result.error is not None
    assert failed.result.error.startswith("step 1 (model): provider spare: ")
    assert STORED not in repr(failed)
