"""Describes in sentences how a value disagrees with a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas.applicators import APPLICATORS
from promptops_flows.json_schemas.comparisons import COMPARISONS
from promptops_flows.json_schemas.evaluation import Evaluation, ValueRefusedError
from promptops_flows.json_schemas.limits import SchemaRefusedError
from promptops_flows.json_schemas.problems import Problem
from promptops_flows.json_schemas.schema_check import check_schema

MAX_SENTENCE_CHARACTERS = 300
_MAX_FINDINGS = 5
_KEYWORDS = {**APPLICATORS, **COMPARISONS}


def findings(schema: Mapping[str, Any], value: object) -> list[str]:
    """A sentence for each of the first disagreements, none if the value matches.

    A schema that was saved before a limit existed, and a value that takes too many steps to check,
    are findings as well: the value can't be checked.
    """
    try:
        check_schema(schema)
        problems = Evaluation(schema, _KEYWORDS).problems(value)
    except SchemaRefusedError as error:
        return [f"the value can't be checked: the schema {error}"]
    except ValueRefusedError as error:
        return [f"the value can't be checked: {error}"]
    problems.sort(key=lambda problem: list(map(str, problem.path)))
    return [_sentence(problem) for problem in problems[:_MAX_FINDINGS]]


def _sentence(problem: Problem) -> str:
    where, words = ".".join(map(str, problem.path)), problem.words()
    sentence = f"{where}: {words}" if where else words
    is_short = len(sentence) <= MAX_SENTENCE_CHARACTERS
    return sentence if is_short else f"{sentence[:MAX_SENTENCE_CHARACTERS]}…"
