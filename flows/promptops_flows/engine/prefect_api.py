"""Prefect's REST API as JSON, where its Python client has no method or sends too many requests."""

from __future__ import annotations

from typing import Any, Literal, cast

import httpx
from prefect.client.orchestration import PrefectClient

_PAGE = 200
_REASON_CHARACTERS = 500
_REFUSALS = (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY)


class PrefectApi:
    """Paths are relative to `/api`. Raises the errors of `PREFECT_ERRORS`; `httpx.HTTPStatusError`
    for a status of 400 or more."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    async def get(self, path: str) -> Any:
        """The JSON of the response."""
        return (await self._request("GET", path)).json()

    async def post(self, path: str, body: Any) -> Any:
        """The JSON of the response, None if it is empty."""
        answer = await self._request("POST", path, json=body)
        return answer.json() if answer.content else None

    async def put(self, path: str, body: Any) -> None:
        await self._request("PUT", path, json=body)

    async def delete(self, path: str) -> None:
        """Does nothing if the resource doesn't exist."""
        try:
            await self._request("DELETE", path)
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise

    async def all(self, path: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of all pages for a filter."""
        rows: list[dict[str, Any]] = []
        while True:
            page = {**filters, "limit": _PAGE, "offset": len(rows)}
            answer = await self.post(path, page)
            rows += answer
            if len(answer) < _PAGE:
                return rows

    async def _request(
        self, method: Literal["GET", "POST", "PUT", "DELETE"], path: str, **content: Any
    ) -> httpx.Response:
        return await self._client.request(method, cast("Any", path), **content)


def is_missing(error: httpx.HTTPStatusError) -> bool:
    """Whether the requested resource doesn't exist in Prefect."""
    return error.response.status_code == httpx.codes.NOT_FOUND


def is_conflict(error: httpx.HTTPStatusError) -> bool:
    """Whether the resource exists already in Prefect."""
    return error.response.status_code == httpx.codes.CONFLICT


def is_refusal(error: httpx.HTTPStatusError) -> bool:
    """Whether Prefect would reject the same request again."""
    return error.response.status_code in _REFUSALS


def refusal_of(error: httpx.HTTPStatusError) -> str:
    """The reason as a sentence."""
    status, text = error.response.status_code, error.response.text[:_REASON_CHARACTERS]
    return f"Prefect returned HTTP {status}: {text}"
