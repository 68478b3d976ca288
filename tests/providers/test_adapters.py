import httpx
import pytest

from promptops_providers.adapters import adapter_for
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.gateway import Target
from promptops_providers.provider_names import PROVIDER_NAMES


@pytest.mark.parametrize("name", PROVIDER_NAMES)
async def test_every_provider_that_is_listed_has_its_adapter(name: str) -> None:
    async with httpx.AsyncClient() as client:
        assert adapter_for(Target(name), client).name == name


def test_only_servers_of_unknown_models_have_no_default_model() -> None:
    assert set(PROVIDER_NAMES) - set(DEFAULT_MODELS) == {"mock", "openai-compatible"}
