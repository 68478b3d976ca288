from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.steps.tool_urls import ToolUrlError, check_url, fill_url

PARAMETERS = {"required": ["a", "b"]}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "must begin with http:// or https://"),
        ("/path", "must begin with http:// or https://"),
        ("https://", "must begin with http:// or https://"),
        ("https://{{a}}/x", "has an argument in its host"),
        ("https://api.{{a}}.org", "has an argument in its host"),
        ("https://user:pw@host/", "contains a user name or password"),
        ("https://host/{{c}}", "needs the argument 'c'"),
        ("https://host/#x", "has a fragment"),
        ("https://host/{{a b}}", "has braces without a name"),
        ("https://host/a b", "contains a space"),
        ("https://host\\@other/", "a backslash"),
        ("https://[::1/", "is not a URL"),
        ("https://host:99999/", "is not a URL"),
    ],
)
def test_what_is_refused(url: str, message: str) -> None:
    with pytest.raises(ToolUrlError) as refused:
        check_url(url, PARAMETERS)
    assert message in str(refused.value)


@given(TEXT, TEXT)
def test_arguments_cannot_change_the_target(a: str, b: str) -> None:
    template = "https://host:8443/v1/{{a}}/x-{{ b }}?q={{b}}&fixed=1"
    check_url(template, PARAMETERS)
    try:
        filled = fill_url(template, {"a": a, "b": b})
    except ToolUrlError:
        assert a in (".", "..")
        return
    parts = urlsplit(filled)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "host:8443", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "v1", a, f"x-{b}"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", b), ("fixed", "1")]


def test_values_of_other_types_become_texts() -> None:
    filled = fill_url("https://h/{{a}}?b={{b}}", {"a": 12345678901234567890, "b": [1, True, None]})
    assert filled == "https://h/12345678901234567890?b=%5B1%2Ctrue%2Cnull%5D"
    assert fill_url("https://h/{{a}}", {"a": 1.5}) == "https://h/1.5"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_path_segments_cannot_leave_their_folder(value: str) -> None:
    with pytest.raises(ToolUrlError, match="changes its target"):
        fill_url("https://h/users/{{a}}/delete", {"a": value})
