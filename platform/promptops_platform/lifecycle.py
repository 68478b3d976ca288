"""The life cycle of a platform: prepare, start and stop."""

import structlog

from promptops_platform.clock import Clock
from promptops_platform.composition import Composition
from promptops_platform.data_folder import open_instance, store_database_id
from promptops_platform.data_folder.instance import INSTANCE_FILE
from promptops_platform.db.identity import ensure_identity
from promptops_platform.db.schema import DatabaseMissing, lock_migrations, migrate
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import StartRefused
from promptops_platform.ids import new_id
from promptops_platform.settings import SHORTEST_TOKEN, Settings
from promptops_platform.supervision.start_work import NO_START_WORK, StartWork

log = structlog.get_logger(__name__)


class Platform(Composition):
    """All rooms of a platform, and their background tasks."""

    def __init__(
        self, settings: Settings, clock: Clock, start_work: StartWork = NO_START_WORK
    ) -> None:
        super().__init__(settings, clock, start_work)
        self._prepared = self._started = False

    async def prepare(self, *, new_database: bool = False) -> None:
        """Upgrade the database to this release: schema, first rows, and runs that a crash left
        open.

        Raises SchemaRefused for a database of another program, and StartRefused if secrets are
        missing or invalid, or if this data folder's database is missing; with `new_database` a new
        one replaces it. Idempotent.
        """
        if self._prepared:
            return
        remembered = None if new_database else open_instance(self.settings.data).database
        await migrate_existing(self.database, self.settings, remembered)
        async with self.database.write() as transaction:
            await lock_migrations(self.database.engines, transaction.session)
            identity = await ensure_identity(transaction.session, remembered or new_id())
            self._refuse_another_database(identity, remembered)
            await self.changes.log.seed(transaction)
            # Before the vault, which creates the secret key of a new data folder.
            await self.agents.conversations.check(transaction)
            await self.triggers.secrets.check(transaction)
            await self.providers.vault.check(transaction)
            await self._seed_accounts(transaction)
            await self.workspaces.service.seed(transaction)
            interrupted = await self.runlog.log.close_orphans(transaction)
            await self.execution.stored.forget_unkept(transaction)
        store_database_id(self.settings.data, identity)
        self._prepared = True
        if interrupted:
            log.warning("runs_interrupted", runs=interrupted)

    async def open_registry(self) -> None:
        """Prepare for a command that only writes to the registry, perhaps while a platform runs:
        load its schema and permissions. Raises SchemaRefused, and StartRefused if no platform has
        run on it, which is most likely the wrong folder; nothing is created there."""
        location = self.settings.database_location
        never_run = StartRefused(
            f"no PromptOps has run on {location} yet; start one first, or name the data folder or "
            "database of yours (PROMPTOPS_DATA, PROMPTOPS_DATABASE_URL)"
        )
        try:
            await migrate(self.database.engines, must_exist=True)
        except DatabaseMissing:
            raise never_run from None
        async with self.database.write() as transaction:
            await lock_migrations(self.database.engines, transaction.session)
            await self.changes.log.seed(transaction)
        await self.access.grants.load()
        if not self.access.grants.ranks:
            raise never_run

    def _refuse_another_database(self, identity: str, remembered: str | None) -> None:
        if remembered is not None and identity != remembered:
            raise StartRefused(
                f"{self.settings.database_location} is not the database that the data folder "
                f"{self.settings.data} belongs to; correct PROMPTOPS_DATA, PROMPTOPS_DB or "
                f"PROMPTOPS_DATABASE_URL, or put the right {INSTANCE_FILE} file back. To use this "
                "database with this folder from now on: promptops up --new"
            )

    async def _seed_accounts(self, transaction: Transaction) -> None:
        """Raises StartRefused for default secrets in production."""
        production = self.settings.env == "production"
        if production and self.settings.uses_default_token:
            raise StartRefused(
                "PROMPTOPS_ENV is production and the static token is the well-known default; set "
                "PROMPTOPS_TOKEN to a secret of your own"
            )
        if production and self.settings.uses_short_token:
            raise StartRefused(
                "PROMPTOPS_ENV is production and PROMPTOPS_TOKEN is too short; set it to a secret "
                f"of at least {SHORTEST_TOKEN} characters, such as openssl rand -hex 32 prints"
            )
        password = self.settings.admin_password
        await self.access.accounts.seed(
            transaction,
            password=password.get_secret_value() if password else None,
            production=production,
        )

    async def start(self) -> None:
        """Load what is served and follow the changes. Idempotent."""
        if self._started:
            return
        self._started = True
        await self.changes.feed.start()
        await self.changes.replicas.start()
        self.realtime.start()
        self.access.uses.start()
        self.runlog.retention.start()
        await self.runlog.calls.start()
        await self.execution.start()
        self.deployments.start()
        self.triggers.start()
        self.workers.lost.start()
        if self.changes.notifications is not None:
            self.changes.notifications.start()

    async def stop(self) -> None:
        """Let the runs end, then close everything. Idempotent."""
        self.stop_signal.set()
        await self.triggers.stop()
        await self.deployments.stop()
        await self.workers.lost.stop()
        await self.execution.drain(self.settings.drain_seconds)
        await self.observability.readiness.stop()
        await self.realtime.stop()
        await self.access.uses.stop()
        await self.changes.replicas.stop()
        await self.runlog.retention.stop()
        await self.runlog.calls.stop()
        if self.changes.notifications is not None:
            await self.changes.notifications.stop()
        await self.changes.feed.stop()
        await self.providers.gateway.aclose()
        await self.database.close()
        await self.tracing.close()


async def migrate_existing(database: Database, settings: Settings, remembered: str | None) -> None:
    """Migrate, but don't create a database if the data folder has already had one; raises
    StartRefused then."""
    try:
        await migrate(database.engines, must_exist=remembered is not None)
    except DatabaseMissing as error:
        raise StartRefused(
            f"{error}, and the data folder {settings.data} had a database; put it back from a "
            "backup, or correct PROMPTOPS_DB or PROMPTOPS_DATABASE_URL. To start with a new one: "
            "promptops up --new"
        ) from error
