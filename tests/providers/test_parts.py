"""Images, files and names in messages, as each vendor gets them."""

from dataclasses import replace
from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, claude, gemini, ollama, openai
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.openai.adapter import OpenAI
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
)
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.vendor_http import VendorHttp

PHOTO = "https://img.example.org/a/Photo.PNG?size=2"
REPORT = "https://docs.example.org/report.pdf"
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;name=report.pdf;base64,JVBERi0="
ANSWERS = {
    "openai": openai.chat(),
    "openai-compatible": openai.chat(),
    "claude": claude.message(),
    "gemini": gemini.answer(),
    "ollama": ollama.last("Hello"),
}


def asked(*parts: Part, name: str = "") -> CompletionRequest:
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    message = Message("user", "\n\n".join(texts), name=name, parts=parts)
    return CompletionRequest((Message("system", "Be brief"), message))


async def sent(gateway: Gateway, vendor: FakeVendor, kind: str, request: CompletionRequest) -> Any:
    """The user's message as the vendor got it."""
    vendor.answers(Answer.of_json(ANSWERS[kind]))
    target = Target("mine", "m", kind, Credentials("sk-1", vendor.url))
    await gateway.complete(request, [target])
    body = vendor.seen.json
    return (body.get("messages") or body["contents"])[-1]


EVERYTHING = asked(
    TextPart("Compare"), ImagePart(PHOTO, "low"), ImagePart(PNG), FilePart(PDF, "r.pdf")
)
NAMED = asked(TextPart("Compare"), name="ada")


async def test_chat_completions(gateway: Gateway, vendor: FakeVendor) -> None:
    for kind in ("openai", "openai-compatible"):
        assert await sent(gateway, vendor, kind, EVERYTHING) == {
            "role": "user",
            "content": [
                {"type": "text", "text": "Compare"},
                {"type": "image_url", "image_url": {"url": PHOTO, "detail": "low"}},
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "file", "file": {"filename": "r.pdf", "file_data": PDF}},
            ],
        }
        assert (await sent(gateway, vendor, kind, NAMED))["name"] == "ada"
    by_address = await sent(gateway, vendor, "openai-compatible", asked(FilePart(REPORT)))
    assert by_address["content"] == [
        {"type": "file", "file": {"filename": "file", "file_data": REPORT}}
    ]


async def test_responses(vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(openai.response(openai.output_text())))
    dialect = replace(OpenAI.dialect, root=vendor.url)
    request = asked(*EVERYTHING.messages[1].parts, FilePart(REPORT, "r.pdf"), name="ada")
    async with guarded_client(AddressPolicy(allow_loopback=True), Timeouts()) as client:
        await OpenAI(VendorHttp("openai", dialect, Credentials("sk-1"), client)).complete(request)
    assert vendor.seen.path == "/v1/responses"
    assert vendor.seen.json["input"][1] == {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Compare"},
            {"type": "input_image", "image_url": PHOTO, "detail": "low"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
            {"type": "input_file", "filename": "r.pdf", "file_data": PDF},
            {"type": "input_file", "file_url": REPORT},
        ],
    }


async def test_claude(gateway: Gateway, vendor: FakeVendor) -> None:
    request = asked(
        TextPart(" "),
        TextPart("Compare"),
        ImagePart(PHOTO),
        ImagePart(PNG),
        FilePart(PDF, "r.pdf"),
        FilePart(REPORT),
    )
    assert await sent(gateway, vendor, "claude", request) == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Compare"},
            {"type": "image", "source": {"type": "url", "url": PHOTO}},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
            },
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                "title": "r.pdf",
            },
            {"type": "document", "source": {"type": "url", "url": REPORT}},
        ],
    }


async def test_gemini(gateway: Gateway, vendor: FakeVendor) -> None:
    request = asked(
        TextPart("Compare"),
        TextPart(""),
        ImagePart(PHOTO),
        ImagePart(PNG),
        FilePart(REPORT),
        FilePart("https://docs.example.org/7"),
    )
    assert await sent(gateway, vendor, "gemini", request) == {
        "role": "user",
        "parts": [
            {"text": "Compare"},
            {"fileData": {"fileUri": PHOTO, "mimeType": "image/png"}},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"fileData": {"fileUri": REPORT, "mimeType": "application/pdf"}},
            {"fileData": {"fileUri": "https://docs.example.org/7"}},
        ],
    }


async def test_ollama(gateway: Gateway, vendor: FakeVendor) -> None:
    request = asked(TextPart("Compare"), ImagePart(PNG), TextPart("both"))
    assert await sent(gateway, vendor, "ollama", request) == {
        "role": "user",
        "content": "Compare\n\nboth",
        "images": ["iVBORw0KGgo="],
    }


async def test_the_mock_names_them(gateway: Gateway) -> None:
    request = asked(TextPart("Compare"), ImagePart(PHOTO), FilePart(PDF + "x" * 100))
    answer = await gateway.complete(request, [Target("mock", "mock-echo")])
    start = (PDF + "x" * 100)[:60]
    assert answer.text == f"Compare\n\n[image_url {PHOTO}]\n\n[file {start}…]"


NOT_TAKEN = [
    ("openai", FilePart(REPORT), "type file can't be sent: Chat Completions takes a file as a"),
    ("claude", FilePart("data:text/csv;base64,YQ=="), "of type application/pdf, not text/csv"),
    ("ollama", ImagePart(PHOTO), "Ollama takes an image as a data: URL, not by its address"),
    ("ollama", FilePart(PDF), "type file can't be sent: Ollama takes texts and images only"),
    *(
        (kind, part, "can't be sent: its URL is neither https://… nor data:")
        for kind in ("openai", "openai-compatible", "claude", "gemini", "ollama")
        for part in (
            ImagePart("{{photo}}"),
            ImagePart(""),
            ImagePart("data:image/png,raw"),
            ImagePart("file:///etc/passwd"),
            ImagePart("https://a b"),
        )
    ),
]


@pytest.mark.parametrize(("kind", "part", "reason"), NOT_TAKEN)
async def test_what_a_vendor_cannot_take_is_named_and_the_chain_goes_on(
    gateway: Gateway, vendor: FakeVendor, kind: str, part: Part, reason: str
) -> None:
    target = Target("mine", "m", kind, Credentials("sk-1", vendor.url))
    with pytest.raises(errors.UnsupportedPartError) as caught:
        await gateway.complete(asked(part), [target])
    assert caught.value.sentence.startswith("provider mine: a content part of type ")
    assert reason in caught.value.sentence
    assert "{{photo}}" not in caught.value.summary
    answer = await gateway.complete(asked(part), [target, Target("mock")])
    assert answer.provider == "mock"
    assert vendor.connections == 0
