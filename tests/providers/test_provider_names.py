from promptops_providers.provider_names import DEFAULT_PROVIDER, PROVIDER_NAMES


def test_the_names_stand_in_the_order_that_clients_know() -> None:
    assert PROVIDER_NAMES[:5] == ("mock", "openai", "claude", "ollama", "gemini")
    assert PROVIDER_NAMES[5:] == ("openai-compatible",)
    assert DEFAULT_PROVIDER == "mock"
