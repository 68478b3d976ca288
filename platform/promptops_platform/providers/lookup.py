"""The names of providers and the targets behind them, for everything that calls a model."""

from collections.abc import Collection, Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.providers.base_urls import BaseUrls
from promptops_platform.providers.mirror import ConnectionMirror
from promptops_platform.providers.tables import ConnectionRow
from promptops_platform.providers.vault import Vault
from promptops_providers.adaptation.compatibility import Compatibility
from promptops_providers.gateway import Credentials, Target
from promptops_providers.own_credentials import with_own
from promptops_providers.provider_names import PROVIDER_NAMES

MOCK = "mock"
LONGEST_SHOWN = 64


class ProviderLookup:
    """Turns names of providers into targets of the gateway, with the keys that are stored."""

    def __init__(
        self, *, grants: Grants, mirror: ConnectionMirror, vault: Vault, urls: BaseUrls
    ) -> None:
        self._grants = grants
        self._mirror = mirror
        self._vault = vault
        self._urls = urls

    def names(self, workspaces: Collection[str] | None) -> list[str]:
        """What may be given as `provider` in these workspaces, None for all: the built-in names,
        then those of connections."""
        stored = self._mirror.names(workspaces)
        return [*PROVIDER_NAMES, *(name for name in stored if name not in PROVIDER_NAMES)]

    def check_base_url(self, base_url: str, names: Collection[str]) -> None:
        """Raises BadRequest where a caller's own address for these providers is not allowed; the
        mock provider has no address."""
        if any(name != MOCK for name in names):
            self._urls.check(base_url)

    def targets(
        self,
        workspace_id: str,
        models: Sequence[tuple[str, str]],
        *,
        actor: Actor,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> list[Target]:
        """The chain for these providers and models, in their order: by a connection of that name,
        else by the built-in provider without a key.

        The caller's own `api_key` and `base_url` are for the first one alone, and a stored key is
        never sent to a `base_url` of the caller's. An empty model, key or address counts as
        missing. Raises BadRequest for an unknown provider and an address that is not allowed,
        SecretUnreadable, and NotFound if the caller may not see the workspace.
        """
        if base_url:
            self.check_base_url(base_url, [name for name, _ in models[:1]])
        stored = self._stored(workspace_id, [name for name, _ in models], actor)
        targets = [self._target(stored.get(name), name, model) for name, model in models]
        if targets:
            targets[0] = with_own(targets[0], api_key, base_url)
        return targets

    def connected(
        self,
        workspace_id: str,
        names: Collection[str],
        *,
        actor: Actor,
    ) -> list[Target]:
        """Those of these providers that are connections, each with its default model, its key and
        its address. Raises like `targets`; skips built-in providers that have no connection."""
        stored = self._stored(workspace_id, names, actor)
        return [self._target(stored[name], name, "") for name in sorted(stored)]

    def resolved(self, row: ConnectionRow) -> Target:
        """The connection with its default model; raises SecretUnreadable."""
        return self._target(row, row.name, "")

    def _stored(
        self, workspace_id: str, names: Collection[str], actor: Actor
    ) -> dict[str, ConnectionRow]:
        if not self._grants.can_read(actor, workspace_id):
            raise NotFound(f"workspace {workspace_id!r} not found; GET /api/workspaces lists them")
        rows = {}
        for name in names:
            row = self._mirror.find(workspace_id, name)
            if row is not None:
                rows[name] = row
            elif name not in PROVIDER_NAMES:
                known_names = ", ".join(self.names([workspace_id]))
                raise BadRequest(
                    f"provider: {name[:LONGEST_SHOWN]!r} is unknown in this workspace; use one of "
                    f"{known_names}"
                )
        return rows

    def _target(self, row: ConnectionRow | None, name: str, model: str) -> Target:
        if row is None:
            return Target(name, model, kind=name)
        credentials = Credentials(self._vault.key_of(row), row.base_url or None)
        return Target(
            name,
            model or row.model,
            row.kind,
            credentials,
            row.first_token_seconds,
            row.answer_seconds,
            Compatibility(**row.compatibility or {}),
        )
