import base64
import html
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.answers.redaction import Redactor

KEY = "sk-A1/b+c\"d\\e&f<g>'h=="


def test_replaces_the_secret_wherever_it_stands() -> None:
    redact = Redactor(["sk-12345", None, ""])
    assert redact("key sk-12345, again sk-12345") == "key [redacted], again [redacted]"


@pytest.mark.parametrize(
    "form",
    [
        quote(KEY, safe=""),
        quote(KEY),
        quote_plus(KEY),
        quote(KEY, safe="").lower().replace("sk-a1", "sk-A1"),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        KEY.replace("\\", "\\\\")
        .replace('"', "\\u0022")
        .replace("/", "\\u002F")
        .replace("+", "\\u002B")
        .replace("&", "\\u0026")
        .replace("<", "\\u003C")
        .replace(">", "\\u003E")
        .replace("'", "\\u0027"),
        html.escape(KEY),
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
    ],
)
def test_knows_the_forms_that_a_secret_takes_in_other_texts(form: str) -> None:
    assert Redactor([KEY])(f"<{form}>") == "<[redacted]>"


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from([KEY, "sk-abcdef123"]))
def test_no_base64_of_a_text_holds_the_secret(before: bytes, after: bytes, key: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = Redactor([key])(encode(before + key.encode() + after).decode())
        assert "[redacted]" in shown
        # Two characters at each end share their bits with what stands beside the secret.
        rest = len(shown) - len("[redacted]")
        assert rest <= -(-len(before) * 4 // 3) + -(-len(after) * 4 // 3) + 6


def test_the_longer_of_two_secrets_goes_as_a_whole() -> None:
    assert Redactor(["secret", "secret-tail"])("secret-tail") == "[redacted]"


def test_words_stay_when_the_secret_is_hardly_one() -> None:
    assert Redactor(["a"])("a text") == "a text"


@given(st.text("abcsk-", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_a_text_in_pieces_shows_no_secret(text: str, cuts: list[int]) -> None:
    secret = "sk-abc"
    whole = f"{text}{secret}{text}"
    redact = Redactor([secret])
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    shown, waiting = "", ""
    for start, end in pairwise(places):
        piece, waiting = redact.split(waiting + whole[start:end])
        shown += piece
    assert shown + waiting == redact(whole)
    assert secret not in shown


def test_a_text_is_not_held_back_without_need() -> None:
    assert Redactor(["sk-abcdef"]).split("hello sk-ab") == ("hello ", "sk-ab")
    assert Redactor(["sk-abcdef"]).split("hello") == ("hello", "")
    assert Redactor([]).split("sk-") == ("sk-", "")
