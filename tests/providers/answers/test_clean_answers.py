"""What vendors send where one expects names and ids, and halves of characters."""

import base64
import json
from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, claude, gemini, ollama, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest

KEY = "sk-very-secret-123456"
ASKED = CompletionRequest.of_text("Hi")
HALF, OTHER_HALF = "\ud83d", "\ude00"
EMOJI = "😀"


def target(vendor: FakeVendor, kind: str = "openai-compatible") -> Target:
    return Target("acme", "m", kind, Credentials(KEY, vendor.url))


async def completed(
    gateway: Gateway, vendor: FakeVendor, body: Any, kind: str = "openai-compatible"
) -> Completion:
    vendor.answers(Answer.of_json(body))
    completion = await gateway.complete(ASKED, [target(vendor, kind)])
    # Whatever it was, it can be sent on and stored.
    json.dumps(completion.vendor_data, ensure_ascii=False).encode()
    return completion


def called(*calls: dict[str, Any]) -> dict[str, Any]:
    return openai.chat(None, finish="tool_calls", tool_calls=list(calls))


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (f"m-{HALF}", "m-\ufffd"),
        ("m-\x00", "m-\ufffd"),
        (f"m-{HALF}{OTHER_HALF}", f"m-{EMOJI}"),
        ("m" * 5_000_000, "m" * 200),
        (f"for {KEY}", "for [redacted]"),
        (f"for {base64.b64encode(KEY.encode()).decode()}", "for [redacted]"),
        (5, "m"),
        ({"a": 1}, "m"),
    ],
)
@pytest.mark.parametrize("kind", ["openai-compatible", "openai", "claude", "gemini", "ollama"])
async def test_the_models_name(
    gateway: Gateway, vendor: FakeVendor, kind: str, model: Any, shown: str
) -> None:
    bodies: dict[str, Any] = {
        "openai-compatible": openai.chat() | {"model": model},
        "openai": openai.chat() | {"model": model},
        "claude": claude.message() | {"model": model},
        "gemini": gemini.answer({"text": "Hi"}) | {"modelVersion": model},
        "ollama": ollama.last("Hi") | {"model": model},
    }
    assert (await completed(gateway, vendor, bodies[kind], kind)).model == shown


async def test_names_and_ids_of_calls(gateway: Gateway, vendor: FakeVendor) -> None:
    long = "i" * 300
    body = called(
        openai.chat_call(f"a{HALF}", f"tool{HALF}", "{}"),
        openai.chat_call("a\ufffd", "n" * 100_000, "{}"),
        openai.chat_call(f"{long}1", f"of {KEY}", "{}"),
        openai.chat_call(f"{long}2", "tool", "{}"),
        openai.chat_call(KEY, "tool", "{}"),
    )
    calls = (await completed(gateway, vendor, body)).tool_calls
    assert [call.name[:50] for call in calls] == [
        "tool\ufffd",
        "n" * 50,
        "of [redacted]",
        "tool",
        "tool",
    ]
    ids = [call.id for call in calls]
    assert (ids[0], ids[2], ids[4]) == ("a\ufffd", "i" * 200, "[redacted]")
    assert len(set(ids)) == 5
    assert all(len(text) <= 200 for call in calls for text in (call.id, call.name))


async def test_arguments(gateway: Gateway, vendor: FakeVendor) -> None:
    arguments = '{"a": "\\ud83d", "\\u0000": [NaN, 1e999, "\\ud83d\\ude00"]}'
    body = called(openai.chat_call("a", "tool", arguments))
    [call] = (await completed(gateway, vendor, body)).tool_calls
    assert call.arguments == {"a": "\ufffd", "\ufffd": [None, None, EMOJI]}


async def test_arguments_that_are_nested_too_deeply(gateway: Gateway, vendor: FakeVendor) -> None:
    arguments = '{"a":' * 200 + "1" + "}" * 200
    with pytest.raises(errors.MalformedAnswerError, match="nested more than 100 deep"):
        await completed(gateway, vendor, called(openai.chat_call("a", "tool", arguments)))


async def test_a_whole_answer_that_ends_in_half_a_character(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    body = openai.chat(f"Hi {HALF}{OTHER_HALF}, \x00{OTHER_HALF}{HALF}")
    assert (await completed(gateway, vendor, body)).text == f"Hi {EMOJI}, \ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    ("sent", "pieces"),
    [
        ([f"a{HALF}", f"{OTHER_HALF}b"], ["a", f"{EMOJI}b"]),
        ([HALF, OTHER_HALF], [EMOJI]),
        ([HALF, HALF, OTHER_HALF], ["\ufffd", EMOJI]),
        ([HALF, "b"], ["\ufffdb"]),
        ([OTHER_HALF, "b\x00"], ["\ufffd", "b\ufffd"]),
        (["a", HALF], ["a", "\ufffd"]),
    ],
)
@pytest.mark.parametrize("kind", ["openai-compatible", "claude"])
async def test_halves_at_the_border_of_two_pieces(
    gateway: Gateway, vendor: FakeVendor, kind: str, sent: list[str], pieces: list[str]
) -> None:
    events: list[Any] = [
        {"choices": [{"delta": {"content": piece}, "finish_reason": None}]} for piece in sent
    ]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    if kind == "claude":
        events = [claude.begin(), *claude.text_block(0, *sent), *claude.end("end_turn")]
    vendor.answers(Answer.of_events(events, done=None))
    shown, completion = await collected(gateway.stream(ASKED, [target(vendor, kind)]))
    assert shown == pieces
    assert completion.text == "".join(pieces)


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        base64.b64encode(f"user:{KEY}".encode()).decode(),
        base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
        KEY.encode().hex(),
    ],
)
async def test_no_form_of_the_key_is_quoted(
    gateway: Gateway, vendor: FakeVendor, form: str
) -> None:
    vendor.answers(openai.error(401, f"wrong: {form}", "invalid_request_error", "x"))
    with pytest.raises(errors.AuthenticationError) as caught:
        await gateway.complete(ASKED, [target(vendor)])
    assert KEY not in str(caught.value)
    assert form[4:-4] not in str(caught.value)
    assert "[redacted]" in str(caught.value)
