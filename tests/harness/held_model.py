"""A model that answers when a test lets it: steps that call it stay in progress until then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from anyio.from_thread import start_blocking_portal

from harness.engine import request
from harness.platform import WAIT_SECONDS
from harness.vendors import Answer, Hold, fake_vendor, openai
from promptops_flows.protocol.engine_client import RunRequest

ANSWER = "the held answer"
KIND = "openai-compatible"


@dataclass(frozen=True)
class HeldModel:
    """`step` calls it, if the run's body contains `access`; `hold.release()` lets it answer."""

    url: str
    hold: Hold
    step: dict[str, Any]

    @property
    def target(self) -> dict[str, str]:
        """Fields that let the playground call it."""
        return {"provider": KIND, "model": "m", **self.access}

    @property
    def access(self) -> dict[str, str]:
        return {"base_url": self.url, "api_key": "sk-held"}

    async def is_asked(self) -> None:
        """Wait until a call is in progress."""
        await asyncio.wait_for(self.hold.reached.wait(), WAIT_SECONDS)

    @property
    def request(self) -> RunRequest:
        """A run of this step, for an engine."""
        return request([self.step], **self.access)


@asynccontextmanager
async def held_model() -> AsyncIterator[HeldModel]:
    answer, hold = Answer.of_json(openai.chat(ANSWER)).held_after(0)
    step = {"name": "held", "type": "model", "provider": KIND, "model": "m"}
    async with fake_vendor(answer) as vendor:
        yield HeldModel(vendor.url, hold, step)


@contextmanager
def held_model_beside() -> Iterator[tuple[HeldModel, Callable[[], None]]]:
    """For tests without a loop: the model in its own thread, and a function that lets it answer."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(held_model()) as model,
    ):
        yield model, lambda: portal.call(model.hold.release)
