import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.engine.shown_parameters import MAX_VALUE_CHARACTERS, shown_parameters
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_providers.answers.redaction import Redactor

TEXT = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\ud800\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def shown(
    variables: dict[str, Any], *secrets: str, texts: TextPolicy | None = None
) -> dict[str, Any]:
    return shown_parameters(variables, Redactor(secrets), texts or TextPolicy())


def test_ordinary_values_are_unchanged() -> None:
    values = {"text": "a", "n": 1.5, "flag": True, "none": None, "list": [1, {"b": "ä"}]}
    assert shown(values) == values


def test_long_values_are_cut() -> None:
    result = shown({"text": "x" * 9_999, "list": ["y"] * 999})
    assert result["text"] == "x" * MAX_VALUE_CHARACTERS + "…"
    assert result["list"].startswith('["y", "y"')
    assert len(result["list"]) == MAX_VALUE_CHARACTERS + 1


def test_many_variables_are_counted_instead() -> None:
    result = shown({f"v{number}": number for number in range(250)})
    assert len(result) == 101
    assert result["…"] == "150 more variables"


def test_a_key_given_as_a_variable_too_is_not_shown() -> None:
    result = shown({"k": "sk-12345", "deep": {"k": ["sk-12345"]}}, "sk-12345")
    assert result == {"k": "[redacted]", "deep": {"k": ["[redacted]"]}}


def test_what_may_not_be_stored_is_not_shown() -> None:
    variables = {"a@b.example": {"deep": ["of a@b.example", 4111111111111111]}, "n": 1}
    assert shown(variables, texts=TextPolicy(texts="none")) == {}
    assert shown(variables, texts=TextPolicy(kinds=("email", "card"))) == {
        "[redacted:email]": {"deep": ["of [redacted:email]", "[redacted:card]"]},
        "n": 1,
    }


def test_a_secret_at_the_cut_is_redacted_as_well() -> None:
    long = "x" * (MAX_VALUE_CHARACTERS - 5) + " sk-12345 a@b.example"
    result = shown({long: long}, "sk-12345", texts=TextPolicy(kinds=("email",)))
    assert "sk-1" not in str(result)
    assert "a@b" not in str(result)


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_all_shown_values_can_be_stored(variables: dict[str, Any]) -> None:
    text = json.dumps(shown(variables), ensure_ascii=False, allow_nan=False)
    text.encode()
    # What PostgreSQL refuses is an escaped NUL, not the text of one.
    assert "\\u0000" not in text.replace("\\\\", "")
