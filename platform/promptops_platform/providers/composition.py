"""Connections to model providers, their secrets and the gateway, connected."""

from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.providers.base_urls import BaseUrls
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.providers.mirror import ConnectionMirror
from promptops_platform.providers.service import ConnectionService
from promptops_platform.providers.trial import ConnectionTrials
from promptops_platform.providers.vault import Vault
from promptops_platform.sealing import SecretKeys
from promptops_platform.settings import Settings
from promptops_providers.observation import CallObserver
from promptops_providers.pooled_gateway import Gateway


class Providers:
    """The mirror follows the feed; the gateway is closed at the end."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
        *,
        observer: CallObserver,
    ) -> None:
        secret_key = settings.secret_key
        self.secret_keys = SecretKeys(
            settings.data, secret_key.get_secret_value() if secret_key else None
        )
        self.vault = Vault(self.secret_keys)
        self.gateway = Gateway(settings.address_policy, observer=observer)
        urls = BaseUrls(settings.address_policy)
        self.mirror = ConnectionMirror(database)
        self.lookup = ProviderLookup(
            grants=access.grants, mirror=self.mirror, vault=self.vault, urls=urls
        )
        self.service = ConnectionService(
            grants=access.grants,
            vault=self.vault,
            urls=urls,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.trials = ConnectionTrials(
            database=database,
            connections=self.service,
            lookup=self.lookup,
            gateway=self.gateway,
        )
        self.services = (self.lookup, self.service, self.trials)
