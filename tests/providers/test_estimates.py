from typing import Any

import pytest

from promptops_providers.estimates import estimate_tokens, estimated_usage, reported_usage
from promptops_providers.protocol import CompletionRequest, Usage


def test_four_characters_are_a_token() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert estimated_usage(CompletionRequest.of_text("12345"), "1") == Usage(2, 1, estimated=True)


@pytest.mark.parametrize("counts", [(None, None), (1, None), ("1", 2), (0, 0)])
def test_what_is_not_reported(counts: tuple[Any, Any]) -> None:
    assert reported_usage(*counts) is None


def test_what_is_reported() -> None:
    assert reported_usage(3, 0, None) == Usage(3, 0, estimated=False)
    assert reported_usage(3, 1, 2) == Usage(3, 1, estimated=False, cached_tokens=2)
