"""The server, used over its public API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """The server can't be reached, or refuses a request; the message says why."""


class ConflictError(ServerError):
    """Somebody has changed the resource since it was read; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource of the server. For prompts, `is_ahead` is whether a publish would change what is
    served; for definitions, `served` contains the version of each environment and `version` counts
    the edits."""

    id: str
    revision: int
    content: Content
    is_ahead: bool = False
    version: int = 0
    served: Mapping[str, int] = field(default_factory=dict)


class Remote:
    """One workspace of a server. `envs` limits the prompts to these environments."""

    def __init__(self, server: str, token: str, workspace: str, envs: tuple[str, ...] = ()) -> None:
        self.server = server.rstrip("/")
        self.workspace = workspace
        self._envs = envs
        self._first_environment: str | None = None
        self.http = httpx.Client(
            base_url=self.server,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_SECONDS,
        )

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def covers(self, identity: Identity) -> bool:
        """Whether the resource is in one of the selected environments."""
        return not self._envs or identity.kind != "prompt" or identity.env in self._envs

    def read(self) -> dict[Identity, Stored]:
        """Return all resources. Raises ServerError."""
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
        """Raises ConflictError if somebody has changed it since it was read."""
        body = content.request()
        if identity.kind not in WITHOUT_VERSIONS:
            body["if_revision"] = stored.revision
        return self._saved(identity.kind, "PUT", f"/{stored.id}", body)

    def delete(self, identity: Identity, stored: Stored) -> None:
        """Raises ConflictError if somebody has changed it, or if it is in use."""
        path = f"/api/{identity.kind}s/{stored.id}"
        has_revision = identity.kind not in WITHOUT_VERSIONS
        headers = {"if-match": f'"{stored.revision}"'} if has_revision else {}
        self.ask("DELETE", path, headers=headers)

    def environments_of(self, identity: Identity) -> tuple[str, ...]:
        """Return the environments in which a publish serves it: a prompt's own environment; for a
        definition the selected ones, or the first one of the workspace. Raises ServerError."""
        if identity.kind == "prompt":
            return (identity.env,)
        if self._envs:
            return tuple(dict.fromkeys(self._envs))
        if self._first_environment is None:
            path = f"/api/workspaces/{self.workspace}/environments"
            self._first_environment = str(self.ask("GET", path).json()["data"][0]["name"])
        return (self._first_environment,)

    def serves(self, identity: Identity, stored: Stored, env: str) -> bool:
        """Whether the environment serves what is stored. Raises ServerError."""
        if identity.kind == "prompt":
            return not stored.is_ahead
        number = stored.served.get(env)
        if number is None or number == stored.version:
            return number is not None
        path = f"/api/{identity.kind}s/{stored.id}/diff"
        return bool(self.ask("GET", path, params={"from": number}).json()["data"]["same"])

    def publish(self, identity: Identity, stored: Stored, env: str, note: str) -> str | None:
        """Serve what is stored. Returns the id of the change request that was created if the
        environment requires approvals, otherwise None. Raises ServerError."""
        body: dict[str, Any] = {"if_revision": stored.revision}
        if note:
            body["note"] = note
        if identity.kind == "prompt":
            answer = self.ask("POST", "/api/prompts/publish", {"id": stored.id, **body})
        else:
            path = f"/api/{identity.kind}s/{stored.id}/publish"
            answer = self.ask("POST", path, {"env": env, **body})
        if answer.status_code != httpx.codes.ACCEPTED:
            return None
        return str(answer.json().get("change_request", {}).get("id", ""))

    def rows(self, path: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all rows of a list, even if the server doesn't support pages. Raises
        ServerError."""
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
        """Return the response. Raises ServerError, or ConflictError for a 409."""
        try:
            answer = self.http.request(method, path, json=body, params=params, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(f"{self.server} can't be reached: {error}") from error
        if answer.is_success:
            return answer
        sentence = f"{self.server} answers {answer.status_code}: {_reason(answer)}"
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            sentence += ". Set PROMPTOPS_TOKEN to an API key of this server"
        if answer.status_code == httpx.codes.CONFLICT:
            raise ConflictError(sentence)
        raise ServerError(sentence)


def _stored(kind: Kind, row: dict[str, Any]) -> Stored:
    content = Content.of(kind, row)
    if kind in WITHOUT_VERSIONS:
        # It changes with the content, like a revision.
        return Stored(row["id"], int(content.hash[:12], 16), content)
    if kind == "prompt":
        is_ahead = row["published_version"] is None or row["draft_ahead"]
        return Stored(row["id"], row["revision"], content, is_ahead=is_ahead)
    return Stored(row["id"], row["revision"], content, version=row["version"], served=row["served"])


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase or "no reason"
