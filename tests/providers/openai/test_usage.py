"""Token counts of OpenAI's APIs and of the servers that speak them."""

from typing import Any

import pytest

from promptops_providers.answers.json_values import MAX_COUNT
from promptops_providers.openai.usage import chat_usage, responses_usage
from promptops_providers.protocol import Usage


@pytest.mark.parametrize(
    "reported",
    [
        {},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 1, "completion_tokens": None},
        {"prompt_tokens": "1", "completion_tokens": 2},
        {"prompt_tokens": 1e20, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -5, "completion_tokens": -2},
    ],
)
def test_what_is_no_report(reported: dict[str, Any]) -> None:
    assert chat_usage(reported) is None


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, Usage(9, 5, False, 4)),
        ({"prompt_tokens_details": {"cached_tokens": "4"}}, Usage(9, 5, False, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 400}}, Usage(9, 5, False, 9)),
        ({"prompt_tokens_details": 5}, Usage(9, 5, False, 0)),
        ({"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 6}, Usage(9, 5, False, 3)),
        ({"cached_tokens": 2}, Usage(9, 5, False, 2)),
        ({"completion_tokens": 2**63 - 1}, Usage(9, MAX_COUNT, False, 0)),
        # Included, as OpenAI has it, and beside.
        (
            {"total_tokens": 14, "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(9, 5, False),
        ),
        (
            {"total_tokens": 17, "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(9, 8, False),
        ),
        ({"total_tokens": 17, "reasoning_tokens": 3}, Usage(9, 8, False)),
        ({"completion_tokens_details": {"reasoning_tokens": 3}}, Usage(9, 5, False)),
    ],
)
def test_what_servers_report(more: dict[str, Any], usage: Usage) -> None:
    assert chat_usage({"prompt_tokens": 9, "completion_tokens": 5} | more) == usage


def test_the_total_tells_whether_reasoning_is_included() -> None:
    reported = {
        "input_tokens": 10_120,
        "output_tokens": 1_499,
        "output_tokens_details": {"reasoning_tokens": 2_809},
        "input_tokens_details": {"cached_tokens": 100},
        "total_tokens": 14_428,
    }
    assert responses_usage(reported) == Usage(10_120, 4_308, False, 100)
