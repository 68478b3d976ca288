"""`deliver`: sends a signed webhook to the receiver of the run. No definition names this kind."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import ClassVar, Self

import httpx

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import KindSchema
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.http_tools import DEFAULT_HEADERS, ToolError, bounded_text
from promptops_flows.steps.standard_webhooks import signed_headers
from promptops_flows.steps.step import Action, ParseContext
from promptops_flows.templates.references import Scope
from promptops_providers.transport.address_policy import ForbiddenAddress

_SECONDS = 15.0
_ANSWER_BYTES = 65_536
_QUOTED_CHARACTERS = 2_000
_GONE = 410


@dataclass(frozen=True, slots=True)
class Deliver(Action):
    """`message_id` is the same for all attempts and for later repeats, so that a receiver
    recognizes repeats. `body` is sent unchanged."""

    message_id: str
    body: str
    type: ClassVar[str] = "deliver"
    schema: ClassVar[KindSchema] = KindSchema({})

    @classmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        raise fields.error("type", "can't be used in a definition")

    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        receiver = context.receiver
        if receiver is None:
            raise StepError("the delivery has no receiver any more; its trigger was changed")
        body = self.body.encode()
        # Signed again for each attempt: receivers reject signatures that are older than some
        # minutes.
        headers = signed_headers(receiver.secrets, self.message_id, int(time.time()), body)
        request = httpx.Request(
            "POST",
            receiver.url,
            headers={**DEFAULT_HEADERS, "content-type": "application/json", **headers},
            content=body,
        )
        status, text = await _sent(request, context)
        answer = {"status": status, "answer": text[:_QUOTED_CHARACTERS]}
        return StepOutput(json.dumps(answer), value=answer)


async def _sent(request: httpx.Request, context: StepContext) -> tuple[int, str]:
    """Status and text of the response. Errors name only the host: the rest of a URL may be a
    secret."""
    host = request.url.host
    try:
        async with asyncio.timeout(_SECONDS), context.http.send(request) as response:
            text = await bounded_text(response, _ANSWER_BYTES)
    except TimeoutError:
        sentence = f"{host} did not answer within {_SECONDS:g} s"
        raise StepError(sentence, retryable=True) from None
    except (ForbiddenAddress, ToolError) as error:
        raise StepError(str(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sentence = f"{host} can't be reached ({type(error).__name__})"
        raise StepError(sentence, retryable=True) from error
    if response.is_success:
        return response.status_code, text
    summary = f"{host} answered HTTP {response.status_code}"
    if response.is_redirect:
        summary += ", and redirects are not followed"
    wait = response.headers.get("retry-after", "")
    raise StepError(
        f"{summary}: {text[:_QUOTED_CHARACTERS]}" if text else summary,
        summary,
        retryable=response.status_code != _GONE,
        retry_after=min(float(wait), 600.0) if wait.isascii() and wait.isdigit() else None,
    )
