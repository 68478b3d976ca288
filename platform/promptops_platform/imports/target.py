"""The server that receives the import, used over its public API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from promptops_platform.as_code.remote import Remote, ServerError, Stored
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.imports.contents import ImportedPrompt, ImportedVersion, body_of


@dataclass(frozen=True, slots=True)
class TargetPrompt:
    """A prompt in the target, with the bodies of its versions by label."""

    stored: Stored
    versions: Mapping[str, dict[str, Any]]
    served: str | None


class Target:
    """Reads and writes workspaces of a server, by their slugs."""

    def __init__(self, server: str, token: str, workspace: str) -> None:
        self._server, self._token, self._workspace = server, token, workspace
        self._remotes: dict[str, Remote] = {}
        self._resources: dict[str, dict[Identity, Stored]] = {}

    def close(self) -> None:
        """Close the connections."""
        for remote in self._remotes.values():
            remote.close()

    def missing_workspaces(self, workspaces: Mapping[str, str]) -> dict[str, str]:
        """Return those that don't exist yet. Raises ServerError."""
        rows = self._remote(None).ask("GET", "/api/workspaces").json()["data"]
        existing = {row["slug"] for row in rows} | {row["id"] for row in rows}
        return {slug: name for slug, name in workspaces.items() if slug not in existing}

    def create_workspace(self, slug: str, name: str) -> None:
        """Raises ServerError."""
        # Existing programs fetch without naming a workspace.
        body = {"name": name, "slug": slug, "implicit_lookup": True}
        self._remote(None).ask("POST", "/api/workspaces", body)

    def resource(self, workspace: str | None, identity: Identity) -> Stored | None:
        """Return the working copy, None if it doesn't exist. Raises ServerError."""
        name = workspace or self._workspace
        if name not in self._resources:
            self._resources[name] = self._remote(workspace).read()
        return self._resources[name].get(identity)

    def expect_empty(self, workspace: str) -> None:
        """Record that it doesn't exist yet, so that nothing has to be read."""
        self._resources[workspace] = {}

    def prompt(self, workspace: str | None, stored: Stored) -> TargetPrompt:
        """Return the prompt with its versions. Raises ServerError."""
        remote = self._remote(workspace)
        rows = remote.rows(f"/api/prompts/{stored.id}/versions")
        versions = {row["version"]: body_of(Content.of("prompt", row)) for row in rows}
        prompt = remote.ask("GET", f"/api/prompts/{stored.id}").json()["data"]
        return TargetPrompt(stored, versions, prompt["published_version"])

    def save_definition(
        self, workspace: str | None, identity: Identity, content: Content, stored: Stored | None
    ) -> None:
        """Create it, or change the existing one. Raises ServerError."""
        remote = self._remote(workspace)
        if stored is None:
            remote.create(identity, content)
        else:
            remote.update(identity, stored, content)

    def save_prompt(self, prompt: ImportedPrompt, existing: TargetPrompt | None) -> None:
        """Publish missing versions, serve the right one, and save the draft. Raises ServerError."""
        remote = self._remote(prompt.workspace)
        first = prompt.versions[0].content if prompt.versions else prompt.draft
        id_ = existing.stored.id if existing else remote.create(prompt.identity, first).id
        present = existing.versions if existing else {}
        served = existing.served if existing else None
        for version in prompt.versions:
            if version.label not in present:
                self._publish(remote, id_, version)
                served = version.label
        if prompt.served is not None and served != prompt.served:
            body = {"id": id_, "version": prompt.served}
            _refuse_request(remote.ask("POST", "/api/prompts/publish", body))
        remote.ask("PUT", f"/api/prompts/{id_}", prompt.draft.request())
        if prompt.rollout is not None:
            remote.ask("PUT", f"/api/prompts/{id_}/rollout", dict(prompt.rollout))

    def _publish(self, remote: Remote, id_: str, version: ImportedVersion) -> None:
        body = {**version.content.request(), "version": version.label}
        remote.ask("PUT", f"/api/prompts/{id_}", body)
        _refuse_request(remote.ask("POST", "/api/prompts/publish", {"id": id_}))

    def _remote(self, workspace: str | None) -> Remote:
        name = workspace or self._workspace
        if name not in self._remotes:
            self._remotes[name] = Remote(self._server, self._token, name)
        return self._remotes[name]


def _refuse_request(answer: httpx.Response) -> None:
    if answer.status_code == httpx.codes.ACCEPTED:
        raise ServerError(
            "the environment requires approvals; import with an account that may bypass them, or "
            "import before they are required"
        )
