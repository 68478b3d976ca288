"""Jinja, JMESPath and regular expressions of steps."""

from typing import Any

import pytest

from promptops_flows.templates.expressions import (
    ExpressionError,
    check_condition,
    check_jinja,
    check_jmespath,
    check_regex,
    evaluate,
)

DATA: dict[str, Any] = {
    "input": "order 42 of Ada",
    "value": {"items": [{"name": "a", "price": 3}, {"name": "b", "price": 5}]},
    "variables": {"who": "Ada"},
    "steps": {"call": {"labels": ["x", "y"]}},
}


@pytest.mark.parametrize(
    ("kind", "expression", "expected"),
    [
        ("jinja", "{{ who }}: {{ steps.call.output.labels | join('+') }}", "Ada: x+y"),
        ("jinja", "{% for item in value['items'] %}{{ item.name }}{% endfor %}", "ab"),
        ("condition", "input.startswith('order') and value['items'] | length > 1", True),
        ("condition", "{{ who == 'Bob' }}", False),
        ("jmespath", "items[?price > `4`].name", ["b"]),
        ("jmespath", "nothing.here", None),
        ("regex", r"\d+", "42"),
        ("regex", r"order (\d+)", "42"),
        ("regex", r"order (\d+) of (\w+)", ["42", "Ada"]),
        ("regex", r"(?P<number>\d+) of (?P<who>\w+)", {"number": "42", "who": "Ada"}),
        ("regex", "nothing", ""),
    ],
)
def test_evaluates(kind: str, expression: str, expected: Any) -> None:
    assert evaluate(kind, expression, DATA) == expected


def test_a_variable_takes_precedence_over_step_data() -> None:
    assert evaluate("jinja", "{{ input }}", {**DATA, "variables": {"input": "mine"}}) == "mine"


@pytest.mark.parametrize(
    ("check", "expression", "sentence"),
    [
        (check_jinja, "{{ open", "is not valid Jinja (unexpected end of template"),
        (check_condition, "a ==", "is not valid Jinja (unexpected ')')"),
        (check_condition, "0" * 10_000, "is not valid Jinja (Exceeds the limit"),
        (check_jmespath, "items[?", "is not valid JMESPath ("),
        (check_jmespath, "", "is not valid JMESPath ("),
        (check_regex, "(a", "is not a regular expression of RE2 (missing )"),
        (check_regex, r"(a)\1", "is not a regular expression of RE2 (invalid escape sequence"),
        (check_regex, "((a{0,1000}){0,1000}){0,1000}", "is not a regular expression of RE2 ("),
        (check_jinja, "{{ " + "(" * 5_000 + ")" * 5_000 + " }}", "is nested too deeply"),
        (check_jmespath, "[" * 5_000, "is "),
    ],
)
def test_the_error_describes_the_problem(check: Any, expression: str, sentence: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(expression)
    assert str(caught.value).startswith(sentence)


def test_checking_evaluates_nothing() -> None:
    # If compiled, it would be folded into a text of a gigabyte.
    check_jinja("{{ 'x' * 1000000000 * 1000 }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ variables.update({'a': 1}) }}",
        "{{ steps.call.output.labels.append('z') }}",
        "{{ who.__init__.__globals__ }}",
        "{{ missing }}",
    ],
)
def test_the_sandbox_is_closed_and_immutable(template: str) -> None:
    from jinja2.exceptions import TemplateError

    with pytest.raises(TemplateError):
        evaluate("jinja", template, DATA)


def test_an_endless_text_is_stopped() -> None:
    with pytest.raises(ExpressionError, match="longer than 1,048,576 characters"):
        evaluate("jinja", "{% for a in range(99999) %}{{ 'x' * 99 }}{% endfor %}", DATA)
