"""A test of a connection: a completion of a few tokens."""

import asyncio
import time

from promptops_platform.providers.schemas import ConnectionTest
from promptops_providers.errors import ProviderError, ProviderTimeoutError
from promptops_providers.gateway import ModelGateway, Target
from promptops_providers.protocol import CompletionRequest, Message
from promptops_providers.redaction import Redactor

SECONDS = 20.0
REQUEST = CompletionRequest(
    messages=(Message("user", "Answer with the word: ok"),), parameters={"max_tokens": 16}
)


async def try_out(
    gateway: ModelGateway, target: Target, *, seconds: float = SECONDS
) -> ConnectionTest:
    """Whether the provider answers within `seconds`, and why not."""
    began = time.perf_counter()

    def took() -> int:
        return round((time.perf_counter() - began) * 1000)

    try:
        async with asyncio.timeout(seconds):
            completion = await gateway.complete(REQUEST, [target])
    except TimeoutError:
        late = ProviderTimeoutError(
            target.provider,
            f"provider {target.provider}: no answer within {seconds:g} seconds",
        )
        return _failed(target, late, took())
    except ProviderError as error:
        return _failed(target, error, took())
    return ConnectionTest(ok=True, model=completion.model, latency_ms=took())


def _failed(target: Target, error: ProviderError, latency_ms: int) -> ConnectionTest:
    # Vendors repeat what they were sent, a wrong key for instance.
    redact = Redactor([target.credentials.api_key])
    return ConnectionTest(
        ok=False,
        model=target.model,
        latency_ms=latency_ms,
        error=redact(error.sentence),
        code=error.code,
    )
