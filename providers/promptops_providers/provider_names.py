"""Providers by name, in the order in which clients list them."""

PROVIDER_NAMES: tuple[str, ...] = (
    "mock",
    "openai",
    "claude",
    "ollama",
    "gemini",
    "openai-compatible",
)
DEFAULT_PROVIDER = "mock"
