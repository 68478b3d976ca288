"""The prompts that a client holds in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from promptops.coalescing import Coalesced
from promptops.errors import ProtocolError, response_error
from promptops.http import HttpClient, Response

# As on the wire: key, version, env, model, content, and variant while a rollout is on.
Prompt = dict[str, Any]


@dataclass(frozen=True)
class Fetched:
    """A prompt from the server; `changed` against the copy that was held before, if any."""

    prompt: Prompt
    changed: bool


@dataclass(frozen=True)
class _Held:
    prompt: Prompt
    etag: str | None


class PromptStore:
    """Fetches prompts of one namespace and holds each until it is refreshed; safe between threads.

    The prompts that it gives are the held ones themselves: copy them before handing them out.
    """

    def __init__(self, http: HttpClient, namespace: str, timeout: float) -> None:
        self._http = http
        self._environment = quote(namespace, safe="")
        self._timeout = timeout
        self._held: dict[str, _Held] = {}
        self._fetches = Coalesced(self._fetch)

    def get(self, key: str) -> Prompt:
        """The held copy, else the server's; fails as `refresh` does."""
        held = self._held.get(key)
        return self._fetches.join(key).prompt if held is None else held.prompt

    def refresh(self, key: str) -> Fetched:
        """The server's copy, asked for after this call began, which is held from now on.

        On any failure the copy that was held stays. Raises the errors of `HttpClient.get`, and a
        ResponseError for every status but 200 and 304.
        """
        return self._fetches.fresh(key)

    def held_keys(self) -> list[str]:
        """The keys of all held prompts."""
        return list(self._held)

    def holds(self, key: str) -> bool:
        """Whether a copy of this prompt is held."""
        return key in self._held

    def _fetch(self, key: str) -> Fetched:
        held = self._held.get(key)
        path = f"/api/sdk/prompts/{quote(key, safe='')}?env={self._environment}"
        response = self._http.get(path, self._timeout, etag=held.etag if held else None)
        if response.status == 304 and held is not None:
            return Fetched(held.prompt, changed=False)
        if response.status != 200:
            raise response_error(response.status, response.body)
        prompt = _parse(response)
        self._held[key] = _Held(prompt, response.etag)
        return Fetched(prompt, changed=held is None or prompt != held.prompt)


def _parse(response: Response) -> Prompt:
    try:
        prompt = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the server sent a prompt that is not JSON: {error}") from error
    if not isinstance(prompt, dict) or not isinstance(prompt.get("content"), str):
        raise ProtocolError("the server sent a prompt without the text field 'content'")
    return prompt
