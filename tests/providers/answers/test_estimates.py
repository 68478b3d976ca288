from promptops_providers.answers.estimates import estimate_tokens, estimated_usage, reported_usage
from promptops_providers.answers.json_values import MAX_COUNT
from promptops_providers.protocol import CompletionRequest, Usage


def test_four_characters_are_a_token() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert estimated_usage(CompletionRequest.of_text("12345"), "1") == Usage(2, 1, estimated=True)


def test_what_is_not_reported() -> None:
    assert reported_usage(0, 0) is None


def test_what_is_reported() -> None:
    assert reported_usage(3, 0) == Usage(3, 0, estimated=False)
    assert reported_usage(3, 1, 2) == Usage(3, 1, estimated=False, cached_tokens=2)


def test_no_count_is_impossible() -> None:
    most = Usage(MAX_COUNT, MAX_COUNT, estimated=False, cached_tokens=MAX_COUNT)
    assert reported_usage(3 * MAX_COUNT, 2 * MAX_COUNT, 9 * MAX_COUNT) == most
    assert reported_usage(3, 1, 9) == Usage(3, 1, estimated=False, cached_tokens=3)
