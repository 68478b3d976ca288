from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.redaction import Redactor


def test_replaces_the_secret_wherever_it_stands() -> None:
    redact = Redactor(["sk-12345", None, ""])
    assert redact("key sk-12345, again sk-12345") == "key [redacted], again [redacted]"


def test_knows_the_form_that_stands_in_a_url() -> None:
    assert Redactor(["a/b+c d"])("?key=a%2Fb%2Bc%20d") == "?key=[redacted]"


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
