"""The model of each kind of provider when a request names none."""

from collections.abc import Mapping

DEFAULT_MODELS: Mapping[str, str] = {
    # "Our go-to model for everyday work", developers.openai.com/api/docs/models, 2026-11
    "openai": "gpt-6.2-sol",
    # The model of the API's own examples, docs/api.md of github.com/ollama/ollama, 2026-11
    "ollama": "llama3.2",
}
