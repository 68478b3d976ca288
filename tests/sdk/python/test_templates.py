"""The SDK's renderer: the shared conformance cases, and agreement with the server's."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import promptops_flows.templates.language as server_templates
from promptops import PromptOpsClient, PromptOpsError, TemplateValueError, render_template

CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "templates.json"
CASES: list[dict[str, Any]] = json.loads(CONFORMANCE.read_text("utf-8"))["cases"]

characters = st.characters(exclude_categories=())
names = st.sampled_from(["a", "b.c", "é", "²", "٣", "名", "e\u0301", ""]) | st.text(characters)
pieces = (
    st.text(characters, max_size=5) | st.sampled_from(["{", "}", "{{", "}}", " ", "\t"]) | names
)
templates = st.lists(pieces | names.map("{{{{ {} }}}}".format), max_size=12).map("".join)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(characters)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text(characters) | st.integers().map(str) | scalars, inner, max_size=4)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    repeat = case.get("repeat", 1)
    rendered = render_template(case["template"] * repeat, case["variables"])
    assert rendered == case["expected"] * repeat


@given(templates, st.dictionaries(names, values))
def test_agrees_with_the_server(template: str, variables: dict[str, Any]) -> None:
    expected = server_templates.render_template(template, variables)
    assert render_template(template, variables) == expected


@given(values)
def test_prints_every_value_like_the_server(value: Any) -> None:
    variables = {"v": value}
    expected = server_templates.render_template("{{v}}", variables)
    assert render_template("{{v}}", variables) == expected


def test_without_variables() -> None:
    assert render_template("Hello {{who}}") == "Hello {{who}}"
    assert render_template("Hello {{who}}", {}) == "Hello {{who}}"
    assert PromptOpsClient.render_template("Hello {{who}}", {"who": "Ada"}) == "Hello Ada"


def test_values_without_json_syntax() -> None:
    values = [math.nan, math.inf, -math.inf]
    assert render_template(
        "{{a}} {{b}} {{c}} {{d}}", {**dict(zip("abc", values, strict=True)), "d": values}
    ) == ("NaN Infinity -Infinity [null,null,null]")


@pytest.mark.parametrize("value", [{1}, b"bytes", object()])
def test_a_value_without_a_json_form_is_an_sdk_type_error(value: object) -> None:
    with pytest.raises(TemplateValueError, match="variable 'v'") as caught:
        render_template("{{ v }}", {"v": value})
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, PromptOpsError)
    assert caught.value.name == "v"
