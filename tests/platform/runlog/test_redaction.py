"""What is kept of texts: everything, nothing, or all but what looks like personal data."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.telemetry.text_policy import KINDS
from promptops_platform.errors import StartRefused
from promptops_platform.runlog.redaction import LONG_TEXT, StoredTexts, policy_of, storable


def texts_of(texts: Any = "full", kinds: str = "", patterns: str = "") -> StoredTexts:
    return StoredTexts(policy_of(texts=texts, kinds=kinds, patterns=patterns))


ALL = texts_of(kinds=",".join(KINDS))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to ada.l+x@mail.example.org now", "write to [redacted:email] now"),
        ("häns@müller.example", "[redacted:email]"),
        ("card 4111 1111 1111 1111.", "card [redacted:card]."),
        ("card 4111-1111-1111-1112.", "card 4111-1111-1111-1112."),
        ("account DE89 3704 0044 0532 0130 00, thanks", "account [redacted:iban], thanks"),
        (
            "account DE88 3704 1144 0532 0130 11, thanks",
            "account DE88 3704 1144 0532 0130 11, thanks",
        ),
        ("call +49 (170) 123-45 67!", "call [redacted:phone]!"),
        ("call (555) 123-4567 or 555.123.4567", "call [redacted:phone] or [redacted:phone]"),
        (
            "on 2026-03-14T09:26:53 it was 1,234,567.89",
            "on 2026-03-14T09:26:53 it was 1,234,567.89",
        ),
        ("from 192.0.2.7 and 2001:db8::1", "from [redacted:ip] and [redacted:ip]"),
        ("key sk-abcdefghijklmnop1234 leaked", "key [redacted:secret] leaked"),
        ("KEY SK-ABCDEFGHIJKLMNOP1234 LEAKED", "KEY [redacted:secret] LEAKED"),
        ("Bearer abcdefghijklmnopqrstuvwxyz", "[redacted:secret]"),
    ],
)
async def test_kinds_are_found(text: str, kept: str) -> None:
    assert await ALL.text(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        # Behind an escaped line break no word begins.
        (r'{"a": "x\nsk-abcdefghijklmnop1234"}', r'{"a": "x[redacted:secret]"}'),
        (r'so {"a": "x\n4111111111111111"}', r'so {"a": "x[redacted:card]"}'),
        (r'{"a": "\n555.123.4567\t192.0.2.7"}', '{"a": "[redacted:phone][redacted:ip]"}'),
        (r'["\u0041KIAABCDEFGHIJKLMNOP"]', '["[redacted:secret]"]'),
        ('{"card": 4111111111111111}', '{"card": [redacted:card]}'),
        ('{"n":  1.50, "t": "\\u00e4"}', '{"n":  1.50, "t": "\\u00e4"}'),
    ],
)
async def test_json_is_searched_without_its_escapes(text: str, kept: str) -> None:
    assert await ALL.text(text) == kept


async def test_only_what_is_asked_for_goes() -> None:
    text = "a@b.example 192.0.2.7"
    assert await texts_of(kinds=" Email ,").text(text) == "[redacted:email] 192.0.2.7"
    assert await texts_of().text(text) == text


async def test_own_patterns_and_everything_in_inputs() -> None:
    texts = texts_of(kinds="email,card", patterns=r'["CUST-\\d{2,4}", "(?i)secret"]')
    assert await texts.inputs(
        {"variables": {"a@b.example": ["CUST-123", {"x": "SECRET plan", "n": 5, "z": None}]}}
    ) == {
        "variables": {
            "[redacted:email]": ["[redacted]", {"x": "[redacted] plan", "n": 5, "z": None}]
        }
    }
    numbers = {"a": 4111111111111111, "b": 4111111111111111.0, "c": True, "d": 1.5, "e": 10**5000}
    assert await texts.inputs(numbers) == {
        **numbers,
        "a": "[redacted:card]",
        "b": "[redacted:card]",
    }


async def test_none_keeps_of_errors_what_quotes_nothing() -> None:
    texts = texts_of("none", "email")
    assert await texts.text("anything") is None
    assert await texts.inputs({"variables": {}}) is None
    assert await texts.error("refused for a@b.example", None) == "refused for [redacted:email]"
    assert await texts.error("refused ('a prompt')", "refused") == "refused"
    assert await texts_of().error("refused ('a prompt')", "refused") == "refused ('a prompt')"
    assert (texts.label("gpt-5", 9), texts.label("what a prompt says", 9)) == ("gpt-5", "")
    assert texts_of().label("what a prompt says", 9) == "what a pr"


@pytest.mark.parametrize(
    ("kinds", "patterns", "message"),
    [
        ("email,phon", "", "PROMPTOPS_RUN_REDACT: 'phon'"),
        ("", "CUST", "PROMPTOPS_RUN_REDACT_PATTERNS: is not JSON"),
        ("", '{"a": 1}', "must be a JSON list"),
        ("", '["("]', "is not a pattern of RE2"),
        ("", '["(?<=a)b"]', "is not a pattern of RE2"),
        ("", '["x*"]', "matches an empty text"),
        ("", '["' + "x" * 1001 + '"]', "longer than 1000"),
        ("", "[" + ",".join(['"x"'] * 51) + "]", "has 51 patterns"),
    ],
)
def test_wrong_settings_are_refused_by_name(kinds: str, patterns: str, message: str) -> None:
    with pytest.raises(StartRefused) as refused:
        policy_of(texts="full", kinds=kinds, patterns=patterns)
    assert message in str(refused.value)


@pytest.mark.parametrize("part", ["a@", "a.", "1 ", "1-", "AA11", "1:", "+1(", "sk-a", "eyJa."])
async def test_time_is_in_proportion_to_the_text(part: str) -> None:
    """Patterns that go back over what they read would take hours for these."""
    texts = texts_of(kinds=",".join(KINDS), patterns='["(a+)+$b", "(.*)*c"]')
    began = time.monotonic()
    await texts.text(part * (4 * LONG_TEXT // len(part)))
    assert time.monotonic() - began < 30


@given(st.text())
async def test_what_is_kept_can_be_stored(text: str) -> None:
    kept = await ALL.text(text)
    assert kept is not None
    assert "\x00" not in kept
    kept.encode()


def test_halves_of_characters_are_replaced() -> None:
    text: Any = "a\ud800b\x00c\U0001f600"
    assert storable(text) == "a\ufffdb\ufffdc\U0001f600"
