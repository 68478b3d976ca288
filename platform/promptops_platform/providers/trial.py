"""A test of a connection: a completion of a few tokens."""

import asyncio
import time

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Database
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.providers.schemas import ConnectionTest
from promptops_platform.providers.service import ConnectionService
from promptops_providers.answers.redaction import Redactor
from promptops_providers.errors import ProviderError, ProviderTimeoutError
from promptops_providers.gateway import ModelGateway, Target
from promptops_providers.protocol import CompletionRequest, Message

SECONDS = 20.0
REQUEST = CompletionRequest(
    messages=(Message("user", "Answer with the word: ok"),), parameters={"max_tokens": 16}
)


class ConnectionTrials:
    """Tests stored connections, and records the results."""

    def __init__(
        self,
        *,
        database: Database,
        connections: ConnectionService,
        lookup: ProviderLookup,
        gateway: ModelGateway,
    ) -> None:
        self._database = database
        self._connections = connections
        self._lookup = lookup
        self._gateway = gateway

    async def try_connection(self, connection_id: str, *, actor: Actor) -> ConnectionTest:
        """Ask the provider for a few tokens; a failure is a result too. No transaction is open
        meanwhile. Raises NotFound, Forbidden and SecretUnreadable."""
        async with self._database.read() as transaction:
            row = await self._connections.get(
                transaction, connection_id, actor=actor, permission=Permission.PROVIDERS_WRITE
            )
            target = self._lookup.resolved(row)
        result = await try_out(self._gateway, target)
        async with self._database.write() as transaction:
            await self._connections.record_test(transaction, row, result.ok, actor=actor)
        return result


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
    # Vendors repeat what they receive, such as a wrong key.
    redact = Redactor([target.credentials.api_key])
    return ConnectionTest(
        ok=False,
        model=target.model,
        latency_ms=latency_ms,
        error=redact(error.sentence),
        code=error.code,
    )
