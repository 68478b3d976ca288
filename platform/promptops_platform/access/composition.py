"""Builds accounts, API keys and permissions."""

from datetime import timedelta

from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.console_sessions import ConsoleSessions
from promptops_platform.access.credential_mirror import CredentialMirror
from promptops_platform.access.grants import Grants
from promptops_platform.access.keys import KeyService
from promptops_platform.access.service import AccessService, AuditRecorder
from promptops_platform.access.token_guesses import TokenGuesses
from promptops_platform.access.users import UserService
from promptops_platform.access.uses import UseLog
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.settings import Settings


class Access:
    """`uses` is started once the feed runs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        changes: Changes,
        clock: Clock,
        *,
        grants: Grants,
        audit: AuditRecorder,
    ) -> None:
        lifetime = timedelta(hours=settings.session_hours)
        self.grants = grants
        self.credentials = CredentialMirror(database, clock)
        self.authenticator = Authenticator(
            settings.token.get_secret_value(),
            self.credentials,
            changes.feed,
            TokenGuesses(clock),
        )
        self.accounts = AccessService(
            database=database,
            authenticator=self.authenticator,
            credentials=self.credentials,
            audit=audit,
            changes=changes.log,
            clock=clock,
            session_lifetime=lifetime,
        )
        self.console_sessions = ConsoleSessions(
            database=database,
            authenticator=self.authenticator,
            access=self.accounts,
            lifetime=lifetime,
            uses_default_token=settings.uses_default_token,
        )
        self.keys = KeyService(grants=grants, audit=audit, changes=changes.log, clock=clock)
        self.users = UserService(
            access=self.accounts, keys=self.keys, audit=audit, changes=changes.log, clock=clock
        )
        self.uses = UseLog(
            database=database,
            credentials=self.credentials,
            access=self.accounts,
            keys=self.keys,
            session_lifetime=lifetime,
        )
        self.services = (grants, self.accounts, self.console_sessions, self.users, self.keys)
