"""Parsing of an HTTP tool's response."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, fake_vendor
from promptops_flows.steps.http_tools import HttpTool, ToolClient, ToolError, call_tool
from promptops_providers.transport.address_policy import AddressPolicy


@pytest_asyncio.fixture
async def place() -> AsyncIterator[FakeVendor]:
    async with fake_vendor() as running:
        yield running


async def answered(place: FakeVendor, content_type: str, body: bytes, status: int = 200) -> str:
    place.answers(Answer([body], status, {"content-type": content_type}))
    tool = HttpTool("t", "", {"type": "object"}, "GET", place.url)
    async with ToolClient(AddressPolicy(allow_loopback=True)) as client:
        return await call_tool(client, tool, {})


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=UTF-8", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ('text/plain; charset="windows-1252"', "„Grüße“".encode("cp1252"), "„Grüße“"),
        ("text/plain; charset=shift_jis", "世界".encode("shift_jis"), "世界"),
        ("text/plain; charset=gb2312", "世界".encode("gb2312"), "世界"),
        ("text/plain; charset=EUC-KR", "세계".encode("euc_kr"), "세계"),
        ("text/plain; charset=utf-16", "世界".encode("utf-16"), "世界"),
        ("text/plain; charset=us-ascii", b"a\xffb", "a\ufffdb"),
        ("text/plain", b"a\x00\xed\xa0\xbdb", "a\ufffd\ufffd\ufffd\ufffdb"),
    ],
)
async def test_charsets_of_web_pages_are_supported(
    place: FakeVendor, content_type: str, body: bytes, text: str
) -> None:
    assert await answered(place, content_type, body) == text


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "charset",
    [
        *("klingon", "hex", "base64", "zip", "bz2", "rot13", "quopri", "uu", "idna", "punycode"),
        *("undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "mbcs", "charmap", "../x"),
    ],
)
async def test_an_unknown_charset_is_an_error_of_the_tool(
    place: FakeVendor, charset: str, status: int
) -> None:
    with pytest.raises(ToolError, match=f"the charset '{charset}', which is unknown"):
        await answered(place, f"text/plain; charset={charset}", b"ok", status)
