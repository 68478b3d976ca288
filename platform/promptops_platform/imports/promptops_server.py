"""Reads an existing PromptOps server over the API that all its releases have
(docs/compatibility.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from promptops_platform.as_code.remote import Remote
from promptops_platform.as_code.resources import Content, Identity, Kind
from promptops_platform.imports.contents import (
    ImportedContents,
    ImportedDefinition,
    ImportedPrompt,
    ImportedVersion,
    body_of,
    key_of,
)

DEFINITIONS: Sequence[Kind] = ("agent", "workflow")
ROLLOUT = ("enabled", "variant_a", "variant_b", "weight_a")


def read_server(server: str, token: str) -> ImportedContents:
    """Return all workspaces with their prompts, agents and workflows. Raises ServerError."""
    remote = Remote(server, token, "")
    try:
        contents = ImportedContents()
        for workspace in remote.ask("GET", "/api/workspaces").json()["data"]:
            contents.workspaces[workspace["slug"]] = workspace["name"]
            _read_workspace(remote, workspace, contents)
        _remark_accounts(remote, contents)
        return contents
    finally:
        remote.close()


def _read_workspace(remote: Remote, workspace: dict[str, Any], contents: ImportedContents) -> None:
    params = {"workspace": workspace["id"]}
    for row in remote.rows("/api/prompts", params):
        if row.get("workspace_id", workspace["id"]) == workspace["id"]:
            contents.prompts.append(_prompt(remote, row, workspace, contents.remarks))
    for kind in DEFINITIONS:
        for row in remote.rows(f"/api/{kind}s", params):
            if row.get("workspace_id", workspace["id"]) == workspace["id"]:
                identity = Identity(kind, key_of(row["key"], contents.remarks))
                content = Content.of(kind, row)
                contents.definitions.append(
                    ImportedDefinition(identity, content, workspace["slug"])
                )


def _prompt(
    remote: Remote, row: dict[str, Any], workspace: dict[str, Any], remarks: list[str]
) -> ImportedPrompt:
    draft = Content.of("prompt", row)
    rows = remote.rows(f"/api/prompts/{row['id']}/versions")
    versions = _versions([item for item in reversed(rows) if _is_of(item, row)], draft)
    rollout = remote.ask("GET", f"/api/prompts/{row['id']}/rollout").json()["data"]
    served = _served(remote, row, workspace, versions, rollout) if versions else None
    return ImportedPrompt(
        Identity("prompt", key_of(row["key"], remarks), row["env"]),
        draft,
        versions,
        served,
        workspace["slug"],
        {name: rollout[name] for name in ROLLOUT} if versions and rollout else None,
    )


def _is_of(version: dict[str, Any], prompt: dict[str, Any]) -> bool:
    return bool(version.get("env", prompt["env"]) == prompt["env"])


def _versions(rows: list[dict[str, Any]], draft: Content) -> list[ImportedVersion]:
    """Older servers allow two versions with one label: later ones get a number appended."""
    versions: list[ImportedVersion] = []
    counts: dict[str, int] = {}
    bodies: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        label = row["version"]
        body = body_of(Content.of("prompt", {"config": draft.values.get("config"), **row}))
        if body in bodies.setdefault(label, []):
            continue
        bodies[label].append(body)
        number = counts[label] = counts.get(label, 0) + 1
        about = {name: value for name, value in draft.values.items() if name not in body}
        about = {
            name: about[name] for name in ("name", "category", "tags", "model") if name in about
        }
        content = Content("prompt", {**about, **body})
        versions.append(ImportedVersion(label if number == 1 else f"{label}-{number}", content))
    return versions


def _served(
    remote: Remote,
    row: dict[str, Any],
    workspace: dict[str, Any],
    versions: list[ImportedVersion],
    rollout: dict[str, Any] | None,
) -> str:
    """Return the label of what programs get now; with a rollout, of its first variant."""
    labels = [version.label for version in versions]
    if rollout and rollout["enabled"] and rollout["variant_a"] in labels:
        return str(rollout["variant_a"])
    if row.get("published_version") in labels:
        return str(row["published_version"])
    params = {"env": row["env"], "workspace": workspace["id"]}
    answer = remote.ask("GET", f"/api/sdk/prompts/{row['key']}", params=params).json()
    same = [item for item in versions if item.content.values.get("content") == answer["content"]]
    exact = [item.label for item in same if item.label == answer["version"]]
    return (exact or [item.label for item in reversed(same)] or labels[-1:])[0]


def _remark_accounts(remote: Remote, contents: ImportedContents) -> None:
    answer = remote.http.get("/api/users")
    if answer.status_code == httpx.codes.OK and (number := len(answer.json()["data"])):
        contents.remarks.append(
            f"{number} accounts are not imported, because passwords can't be read; "
            "create them there"
        )
