"""Checks repeatedly whether Prefect can take runs."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl

import httpx
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings

from promptops_flows.engine.logs import log
from promptops_flows.engine.server import Part
from promptops_flows.processes.waiting import happens_within

# What Prefect's client raises if the server is down, slow, or returns an error.
PREFECT_ERRORS = (httpx.HTTPError, PrefectException, OSError, TimeoutError)
_TIMEOUT_SECONDS = 3.0
_PERIOD_READY = 2.0
_PERIOD_NOT_READY = 0.25
_REFUSALS = (401, 403)


class PrefectGate:
    """`reason` is None while Prefect is available, otherwise a sentence with the reason."""

    def __init__(self) -> None:
        self.reason: str | None = "the run engine is starting"
        self.part: Part = "engine"
        self._suspected = asyncio.Event()
        self._ready = asyncio.Event()

    def suspect(self) -> None:
        """A request to Prefect failed: check it now rather than later."""
        self._suspected.set()

    async def opened(self) -> None:
        """Return once Prefect is available."""
        await self._ready.wait()

    async def watch(self) -> None:
        """Keep `reason` up to date until cancelled."""
        async with _client() as client:
            while True:
                self.settle(await _unavailable_reason(client))
                await self._pause()

    def settle(self, reason: str | None) -> None:
        """Set whether Prefect is available; `reason` says why not."""
        if reason != self.reason:
            event = "prefect.ready" if reason is None else "prefect.unavailable"
            log(logging.INFO if reason is None else logging.WARNING, event, reason=reason)
        self.reason, self.part = reason, "prefect"
        if reason is None:
            self._ready.set()
        else:
            self._ready.clear()

    async def _pause(self) -> None:
        self._suspected.clear()
        period = _PERIOD_NOT_READY if self.reason else _PERIOD_READY
        await happens_within(self._suspected, period)


async def _unavailable_reason(client: httpx.AsyncClient) -> str | None:
    address = f"{client.base_url.host}:{client.base_url.port or client.base_url.scheme}"
    try:
        # The first request needs no password and shows that the server is up, the second needs one.
        for path in ("health", "admin/version"):
            answer = await client.get(path)
            if answer.status_code in _REFUSALS:
                return f"the Prefect server at {address} refuses the engine's password"
            if answer.status_code != httpx.codes.OK:
                return f"the Prefect server at {address} returned HTTP {answer.status_code}"
    except httpx.TimeoutException:
        return f"the Prefect server at {address} did not answer in time"
    except httpx.HTTPError:
        return f"the Prefect server at {address} can't be reached"
    return None


def _client() -> httpx.AsyncClient:
    """A client without Prefect's own retries, which would hide for minutes that the server is
    down."""
    settings = get_current_settings().api
    headers = {}
    if settings.auth_string is not None:
        token = base64.b64encode(settings.auth_string.get_secret_value().encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    elif settings.key is not None:
        headers["Authorization"] = f"Bearer {settings.key.get_secret_value()}"
    verify: ssl.SSLContext | bool = not settings.tls_insecure_skip_verify
    if verify and settings.ssl_cert_file:
        verify = ssl.create_default_context(cafile=settings.ssl_cert_file)
    base_url = str(settings.url).rstrip("/") + "/"
    return httpx.AsyncClient(
        base_url=base_url, headers=headers, verify=verify, timeout=_TIMEOUT_SECONDS
    )
