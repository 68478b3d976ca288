import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.answers.failures import (
    excerpt,
    retry_after,
    retry_after_in_words,
    seconds_of,
)

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "1e9"}, 86_400.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Date": DATE, "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"Date": DATE, "Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "6m0s"}, None),
        (
            {
                "Date": DATE,
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-10-21T07:28:12Z",
            },
            12.0,
        ),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20ms", 0.02),
        ("1.5s", 1.5),
        ("1h2m3s", 3723.0),
        ("2d", 86_400.0),
        ("5", 5.0),
        ("1x", None),
        ("s", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@given(st.text())
def test_any_header_is_read_without_an_error(text: str) -> None:
    retry_after({"retry-after": text, "date": text, "retry-after-ms": text})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect key: sk-very-secret-123456.", "Incorrect key: [redacted]."),
        ("Incorrect key: sk-ab***********3456", "Incorrect key: [redacted]"),
        ("key AIzaSyA1234567 is bad", "key [redacted] is bad"),
        ("two\nlines\t \x00", "two lines \ufffd"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_an_excerpt(text: str, shown: str) -> None:
    assert excerpt(text, "sk-very-secret-123456") == shown


@given(st.text(), st.text(), st.integers(0, 400))
def test_an_excerpt_never_holds_the_key(before: str, after: str, padding: int) -> None:
    key = "topsecretkey-0123456789"
    shown = excerpt(before + "." * padding + key + after, key)
    assert key not in shown
    assert len(shown) <= 300
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached. Please try again in 6.5s. Visit the console.", 6.5),
        ("Please try again in 7m12s", 432.0),
        ("try again in 1m30.5s", 90.5),
        ("Try again in 120ms", 0.12),
        ("Please retry after 31 seconds.", 31.0),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("please wait for 2 minutes and 5 seconds", 125.0),
        ("try again in 3 hours", 10_800.0),
        ("try again in 400 days", 86_400.0),
        ("Try again in 5 steps of 3s", None),
        ("try again later", None),
        ("the limit is 60s of audio", None),
        ("again " * 400, None),
    ],
)
def test_a_wait_in_words(text: str, seconds: float | None) -> None:
    assert retry_after_in_words(text) == (None if seconds is None else pytest.approx(seconds))
