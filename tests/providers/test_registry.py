import pytest

from promptops_providers.errors import NotAvailableError
from promptops_providers.registry import DEFAULT_PROVIDER, PROVIDER_NAMES, get_provider


def test_the_names_stand_in_the_order_that_clients_know() -> None:
    assert PROVIDER_NAMES == ("mock", "openai", "claude", "ollama", "gemini")


def test_the_default_provider_can_be_had() -> None:
    assert get_provider(DEFAULT_PROVIDER, api_key="", base_url=None).name == "mock"


@pytest.mark.parametrize("name", PROVIDER_NAMES[1:])
def test_a_known_provider_without_adapter_says_so(name: str) -> None:
    with pytest.raises(NotAvailableError) as caught:
        get_provider(name, api_key="sk-something-secret")
    assert str(caught.value) == f"provider {name} is not available in this version, use mock"
    assert caught.value.code == "provider_not_available"
    assert not caught.value.retryable


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(NotAvailableError, match="'watson' is unknown, use one of mock, openai,"):
        get_provider("watson")
