"""The server's side, over its public API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from promptops_platform.as_code.resources import (
    KINDS,
    WITHOUT_VERSIONS,
    Content,
    Identity,
    Kind,
)

_PAGE = 200
_SECONDS = 30.0


class ServerError(ValueError):
    """The server can't be reached, or refuses; the text says what and why."""


class ConflictError(ServerError):
    """Somebody has changed the resource since it was read; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource of the server; `is_published` says whether it is served from versions."""

    id: str
    revision: int
    content: Content
    is_published: bool


class Remote:
    """One workspace of a server. `envs` limits the prompts to these environments."""

    def __init__(self, server: str, token: str, workspace: str, envs: tuple[str, ...] = ()) -> None:
        self.server = server.rstrip("/")
        self.workspace = workspace
        self._envs = envs
        self.http = httpx.Client(
            base_url=self.server,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_SECONDS,
        )

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()

    def covers(self, identity: Identity) -> bool:
        """Whether the resource is in one of the environments that count."""
        return not self._envs or identity.kind != "prompt" or identity.env in self._envs

    def read(self) -> dict[Identity, Stored]:
        """All resources. Raises ServerError."""
        resources: dict[Identity, Stored] = {}
        for kind in KINDS:
            for row in self.rows(f"/api/{kind}s", {"workspace": self.workspace}):
                identity = Identity(kind, row["key"], row["env"] if kind == "prompt" else "")
                if self.covers(identity):
                    resources[identity] = _stored(kind, row)
        return resources

    def create(self, identity: Identity, content: Content) -> Stored:
        """Raises ServerError."""
        body = {"key": identity.key, "workspace": self.workspace, **content.request()}
        if identity.env:
            body["env"] = identity.env
        if identity.kind == "agent" and body.get("output_schema") == {}:
            del body["output_schema"]
        return self._saved(identity.kind, "POST", "", body)

    def update(self, identity: Identity, stored: Stored, content: Content) -> Stored:
        """Raises ConflictError when somebody has changed it since it was read."""
        body = content.request()
        if identity.kind not in WITHOUT_VERSIONS:
            body["if_revision"] = stored.revision
        return self._saved(identity.kind, "PUT", f"/{stored.id}", body)

    def delete(self, identity: Identity, stored: Stored) -> None:
        """Raises ConflictError when somebody has changed it, or when it is in use."""
        path = f"/api/{identity.kind}s/{stored.id}"
        has_revision = identity.kind not in WITHOUT_VERSIONS
        headers = {"if-match": f'"{stored.revision}"'} if has_revision else {}
        self.ask("DELETE", path, headers=headers)

    def publish(self, identity: Identity, stored: Stored, note: str) -> str | None:
        """Serve what is stored. The id of the change request that this has made where the
        environment requires approvals, else None. Raises ServerError."""
        body: dict[str, Any] = {"if_revision": stored.revision}
        if note:
            body["note"] = note
        if identity.kind == "prompt":
            answer = self.ask("POST", "/api/prompts/publish", {"id": stored.id, **body})
        else:
            answer = self.ask("POST", f"/api/{identity.kind}s/{stored.id}/publish", body)
        if answer.status_code != httpx.codes.ACCEPTED:
            return None
        return str(answer.json().get("change_request", {}).get("id", ""))

    def rows(self, path: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All of a list, also of a server that knows no pages. Raises ServerError."""
        rows: dict[str, dict[str, Any]] = {}
        while True:
            paging = {**(params or {}), "limit": _PAGE, "offset": len(rows)}
            page = self.ask("GET", path, params=paging).json()["data"]
            before = len(rows)
            rows |= {row["id"]: row for row in page}
            if len(page) < _PAGE or len(rows) == before:
                return list(rows.values())

    def _saved(self, kind: Kind, method: str, path: str, body: dict[str, Any]) -> Stored:
        answer = self.ask(method, f"/api/{kind}s{path}", body)
        row = answer.json()
        return _stored(kind, row.get("data", row))

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """An answer that is not an error. Raises ServerError, or ConflictError for a 409."""
        try:
            answer = self.http.request(method, path, json=body, params=params, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(f"{self.server} can't be reached: {error}") from error
        if answer.is_success:
            return answer
        sentence = f"{self.server} answers {answer.status_code}: {_reason(answer)}"
        if answer.status_code == httpx.codes.CONFLICT:
            raise ConflictError(sentence)
        raise ServerError(sentence)


def _stored(kind: Kind, row: dict[str, Any]) -> Stored:
    content = Content.of(kind, row)
    if kind in WITHOUT_VERSIONS:
        # Another one for other contents, as a revision is.
        return Stored(row["id"], int(content.hash[:12], 16), content, is_published=True)
    return Stored(row["id"], row["revision"], content, row["published_version"] is not None)


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase or "no reason"
