"""The server's renderer: the shared conformance cases, and properties over generated input."""

from __future__ import annotations

import json
import math
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptops_flows.templates.ecmascript import json_text, number_text
from promptops_flows.templates.language import TemplateValueError, render_template, variables_in

CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "templates.json"
CASES: list[dict[str, Any]] = json.loads(CONFORMANCE.read_text("utf-8"))["cases"]

BLANKS = " \t\r\n"
PIECES = ["{", "}", "{{", "}}", " ", "\n", "\u00a0", "a", "b.c", "_", "é", "²", "\u0301", "٣", "x"]
templates = st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join)
names = st.sampled_from(["a", "b.c", "_", "é", "²", "٣", "x", "aa", "ax", "a_"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    repeat = case.get("repeat", 1)
    template = case["template"] * repeat
    began = time.perf_counter()
    rendered = render_template(template, case["variables"])
    names = variables_in(template)
    # Generous for a busy machine: a renderer that isn't linear takes hours for the large cases.
    assert time.perf_counter() - began < 30
    assert rendered == case["expected"] * repeat
    assert names == case["names"]


def test_case_names_are_unique() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


def _is_name_character(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("L") or category == "Nd" or character in "_."


def _scan(template: str) -> list[tuple[str, str | None]]:
    """A literal implementation of the contract, one character at a time: (text, name or None)
    pieces."""
    pieces: list[tuple[str, str | None]] = []
    position = 0
    while position < len(template):
        end = position + 2
        while template[end : end + 1] in BLANKS and end < len(template):
            end += 1
        start = end
        while end < len(template) and _is_name_character(template[end]):
            end += 1
        name = template[start:end]
        while end < len(template) and template[end] in BLANKS:
            end += 1
        whole = template[position : end + 2]
        if name and template.startswith("{{", position) and template.startswith("}}", end):
            pieces.append((whole, name))
            position = end + 2
        else:
            pieces.append((template[position], None))
            position += 1
    return pieces


@given(templates, st.dictionaries(names, st.none() | st.text()))
@example("{{{a}}}{{ a\n}}", {"a": "{{a}}"})
def test_agrees_with_a_literal_implementation_of_the_contract(
    template: str, variables: dict[str, str | None]
) -> None:
    pieces = _scan(template)
    expected = ""
    for text, name in pieces:
        value = None if name is None else variables.get(name)
        expected += text if value is None else value
    assert render_template(template, variables) == expected
    assert variables_in(template) == list(dict.fromkeys(name for _, name in pieces if name))


@given(templates)
def test_without_variables_the_template_is_unchanged(template: str) -> None:
    assert render_template(template, {}) == template
    assert render_template(template, dict.fromkeys(variables_in(template))) == template


@given(templates)
def test_values_are_not_rendered_again(value: str) -> None:
    everything = dict.fromkeys(["a", "b.c", "_", "é", "٣", "x"], "rendered")
    assert render_template("[{{v}}]", {**everything, "v": value}) == f"[{value}]"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**1000), 2**1000))
def test_a_number_parses_to_the_same_double(number: float) -> None:
    text = number_text(number)
    assert float(text) == float(number)
    assert not text.endswith(".0")
    assert "e0" not in text
    assert text != "-0"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
    ],
)
def test_values_without_a_finite_double(number: float, text: str) -> None:
    assert number_text(number) == text
    assert json_text([number]) == "[null]"


def _as_read_by_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [_as_read_by_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_read_by_json(member) for key, member in value.items()}
    return value


@given(values)
def test_json_is_compact_and_parses_to_the_same_value(value: Any) -> None:
    text = json_text(value)
    text.encode("utf-8")
    assert json.loads(text, parse_int=float) == _as_read_by_json(value)


def test_python_values_with_other_names_in_json() -> None:
    assert json_text((1, {2: None, True: 3, None: 4, 1.5: 5})) == (
        '[1,{"2":null,"true":3,"null":4,"1.5":5}]'
    )


def test_depth_is_not_limited_by_the_stack() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert render_template("{{v}}", {"v": deep}) == "[" * 100_001 + "]" * 100_001


def test_a_value_may_appear_twice_but_not_inside_itself() -> None:
    twice = [1]
    assert json_text([twice, twice]) == "[[1],[1]]"
    endless: list[Any] = []
    endless.append({"inner": endless})
    with pytest.raises(TemplateValueError, match="'v' can't be rendered: a list contains itself"):
        render_template("{{v}}", {"v": endless})


@pytest.mark.parametrize("value", [{1}, b"bytes", object(), [1j], {("a",): 1}])
def test_a_value_without_a_json_form_names_its_variable(value: object) -> None:
    with pytest.raises(TemplateValueError, match="variable 'v'") as caught:
        render_template("{{ v }}", {"v": value})
    assert caught.value.name == "v"
    assert render_template("nothing here", {"v": value}) == "nothing here"


def test_letters_and_digits_are_exactly_the_general_categories() -> None:
    for number in range(0x110000):
        character = chr(number)
        is_name = variables_in("{{" + character + "}}") == [character]
        assert is_name == _is_name_character(character), hex(number)
