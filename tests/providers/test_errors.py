from promptops_providers import errors


def tree(error: type[errors.ProviderError]) -> list[type[errors.ProviderError]]:
    return [error, *(descendant for child in error.__subclasses__() for descendant in tree(child))]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in tree(errors.ProviderError)]
    assert len(codes) == len(set(codes))


def test_every_error_is_drawn_at_the_top_of_the_file() -> None:
    drawing = errors.__doc__ or ""
    missing = [
        error.__name__ for error in tree(errors.ProviderError) if error.__name__ not in drawing
    ]
    assert missing == []


def test_what_a_moment_may_cure_is_retryable() -> None:
    retryable = {error.code for error in tree(errors.ProviderError) if error.retryable}
    assert retryable == {
        "rate_limited",
        "overloaded",
        "unreachable",
        "timeout",
        "malformed_answer",
        "stream_cut_off",
    }


def test_the_text_is_the_sentence() -> None:
    error = errors.RateLimitedError("openai", "provider openai: slow down", retry_after=2.5)
    assert (str(error), error.sentence) == ("provider openai: slow down",) * 2
    assert error.retry_after == 2.5


def test_another_provider_is_tried_unless_the_request_is_to_blame() -> None:
    stays = {error.code for error in tree(errors.ProviderError) if not error.falls_back}
    assert stays == {
        "bad_request",
        "refused",
        "address_refused",
        "provider_not_available",
        "request_too_large",
    }
