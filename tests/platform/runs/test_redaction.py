"""What is kept of texts: everything, nothing, or all but what looks like personal data."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.errors import StartRefused
from promptops_platform.runs.redaction import KINDS, LONG_TEXT, TextPolicy, storable

ALL = TextPolicy.of(texts="full", kinds=",".join(KINDS), patterns="")


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
        ("Bearer abcdefghijklmnopqrstuvwxyz", "[redacted:secret]"),
    ],
)
async def test_kinds_are_found(text: str, kept: str) -> None:
    assert await ALL.text(text) == kept


async def test_only_what_is_asked_for_goes() -> None:
    emails = TextPolicy.of(texts="full", kinds=" Email ,", patterns="")
    text = "a@b.example 192.0.2.7"
    assert await emails.text(text) == "[redacted:email] 192.0.2.7"
    nothing = TextPolicy.of(texts="full", kinds="", patterns="")
    assert await nothing.text(text) == text


async def test_own_patterns_and_everything_in_inputs() -> None:
    policy = TextPolicy.of(texts="full", kinds="email", patterns=r'["CUST-\\d{2,4}", "(?i)secret"]')
    assert await policy.inputs(
        {"variables": {"a@b.example": ["CUST-123", {"x": "SECRET plan", "n": 5, "z": None}]}}
    ) == {
        "variables": {
            "[redacted:email]": ["[redacted]", {"x": "[redacted] plan", "n": 5, "z": None}]
        }
    }


async def test_none_keeps_errors_only() -> None:
    policy = TextPolicy.of(texts="none", kinds="email", patterns="")
    assert await policy.text("anything") is None
    assert await policy.inputs({"variables": {}}) is None
    assert await policy.message("refused for a@b.example") == "refused for [redacted:email]"


@pytest.mark.parametrize(
    ("kinds", "patterns", "said"),
    [
        ("email,phon", "", "PROMPTOPS_RUN_REDACT: 'phon'"),
        ("", "CUST", "PROMPTOPS_RUN_REDACT_PATTERNS: is not JSON"),
        ("", '{"a": 1}', "must be a JSON list"),
        ("", '["("]', "is no pattern of RE2"),
        ("", '["(?<=a)b"]', "is no pattern of RE2"),
        ("", '["x*"]', "fits an empty text"),
        ("", '["' + "x" * 1001 + '"]', "longer than 1000"),
        ("", "[" + ",".join(['"x"'] * 51) + "]", "holds 51 patterns"),
    ],
)
def test_wrong_settings_are_refused_by_name(kinds: str, patterns: str, said: str) -> None:
    with pytest.raises(StartRefused) as refused:
        TextPolicy.of(texts="full", kinds=kinds, patterns=patterns)
    assert said in str(refused.value)


@pytest.mark.parametrize("part", ["a@", "a.", "1 ", "1-", "AA11", "1:", "+1(", "sk-a", "eyJa."])
async def test_time_is_in_proportion_to_the_text(part: str) -> None:
    """Patterns that go back over what they read would take hours for these."""
    policy = TextPolicy.of(texts="full", kinds=",".join(KINDS), patterns='["(a+)+$b", "(.*)*c"]')
    began = time.monotonic()
    await policy.text(part * (4 * LONG_TEXT // len(part)))
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
