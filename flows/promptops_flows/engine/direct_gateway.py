"""Until the pooled gateway is merged."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from promptops_providers.gateway import Target
from promptops_providers.protocol import Completion, CompletionRequest, StreamEvent
from promptops_providers.registry import get_provider


class DirectGateway:
    async def complete(self, request: CompletionRequest, targets: Sequence[Target]) -> Completion:
        provider = get_provider(targets[0].provider)
        return await provider.complete(replace(request, model=targets[0].model))

    async def stream(
        self, request: CompletionRequest, targets: Sequence[Target]
    ) -> AsyncIterator[StreamEvent]:
        provider = get_provider(targets[0].provider)
        async for event in provider.stream(replace(request, model=targets[0].model)):
            yield event
