"""Requests with an `Idempotency-Key`: repeating one doesn't start another run."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import structlog
from fastapi import Header, Request
from starlette.responses import JSONResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import BadRequest
from promptops_platform.execution.idempotency import (
    HEADER,
    IdempotentRuns,
    KeyedRequest,
    KeyTaken,
    RunKey,
)
from promptops_platform.http.hang_up import unless_hung_up

log = structlog.get_logger(__name__)

T = TypeVar("T")
KEY = re.compile(r"[!-~]{1,255}", re.ASCII)

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="A text of your choice, 1 to 255 printable ASCII characters without spaces. "
        "For 24 hours, the same request with the same key gets the same response and doesn't "
        "start another run.",
    ),
]


async def keyed_request(
    key: str | None, request: Request, permission: Permission, *, actor: Actor
) -> KeyedRequest | None:
    """Return None for a request without a key; raises BadRequest for an invalid key."""
    if key is None:
        return None
    if (times := len(request.headers.getlist(HEADER))) > 1:
        raise BadRequest(f"{HEADER}: was sent {times} times; send it once")
    if not KEY.fullmatch(key):
        raise BadRequest(
            f"{HEADER}: must be 1 to 255 printable ASCII characters without spaces (got "
            f"{len(key)} characters); send a UUID for instance"
        )
    # Hashed together with the key, which isn't stored, so that the content can't be guessed from
    # the hash.
    content = hmac.new(key.encode(), request.url.path.encode() + b"\0", hashlib.sha256)
    content.update(await request.body())
    key_hash = hashlib.sha256(key.encode()).hexdigest()
    return KeyedRequest(actor, permission, key_hash, content.hexdigest())


async def answer_once(
    request: Request,
    keyed: KeyedRequest | None,
    idempotent: IdempotentRuns,
    start: Callable[[RunKey | None], Awaitable[T]],
) -> T | JSONResponse:
    """Return what `start` returns, or the response to an earlier, equal request; raises what
    `IdempotentRuns.answer` raises."""
    if keyed is None:
        return await start(None)
    while True:
        stored = await unless_hung_up(request, idempotent.answer(keyed))
        if stored is not None:
            # The response to the start of a detached run includes its address.
            headers = {"location": f"/api/runs/{stored.run_id}"} if stored.status == 202 else {}
            return JSONResponse(stored.body, status_code=stored.status, headers=headers)
        try:
            return await start(idempotent.key(keyed))
        except KeyTaken:
            log.info("idempotency_key_taken")
