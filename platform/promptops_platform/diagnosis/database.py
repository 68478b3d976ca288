"""Checks the registry database without writing: reachable, identity, schema, default passwords."""

import asyncio
import time
from datetime import datetime

from sqlalchemy import text

from promptops_platform.access.service import AccessService
from promptops_platform.data_folder import DataFolderNotUsable, read_instance
from promptops_platform.db.location import SqliteFile
from promptops_platform.db.schema import DatabaseNotUsable, SchemaRefused, schema_state
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.diagnosis.deployments import check_deployments
from promptops_platform.diagnosis.finding import Finding, Findings, ok, problem, warning
from promptops_platform.errors import DatabaseUnavailable, StartRefused
from promptops_platform.providers.vault import Vault
from promptops_platform.sealing import SecretKeys, SecretKeyUnreadable
from promptops_platform.settings import Settings

CHECK = "database"
SECRETS = "secrets"
CLOCK = "clock"
ANSWER_SECONDS = 5.0
MOST_SKEW_SECONDS = 5.0


async def check_database(settings: Settings, seconds: float = ANSWER_SECONDS) -> Findings:
    """Takes at most this many seconds; never migrates, and never creates the file."""
    location = settings.database_location
    if isinstance(location, SqliteFile) and not location.path.exists():
        return [_missing(location, settings)]
    database = Database(location, read_only=True)
    try:
        async with asyncio.timeout(seconds):
            return await _findings(database, settings)
    except TimeoutError:
        return [
            problem(
                CHECK,
                f"{location} did not respond within {seconds:g} s",
                "start the database, or correct its address",
            )
        ]
    except SchemaRefused as error:
        return [problem(CHECK, str(error), "see docs/settings.md for PROMPTOPS_DATABASE_URL")]
    except (DatabaseNotUsable, DatabaseUnavailable) as error:
        return [problem(CHECK, str(error), "start the database, or correct its address")]
    finally:
        await database.close()


async def _findings(database: Database, settings: Settings) -> Findings:
    state = await schema_state(database.engines)
    where = database.engines.location
    if state.current is None:
        return [ok(CHECK, f"{where} is empty; the first start fills it")]
    if state.current != state.newest:
        schema = warning(
            CHECK,
            f"{where} has schema {state.current}, this release's is {state.newest}",
            "make a backup; the next start, or promptops migrate, brings it up to date",
        )
        return [schema]
    findings = [ok(CHECK, f"{where} answers, with this release's schema {state.current}")]
    async with database.read() as transaction:
        findings += await _secret_key(settings, transaction)
        findings += await check_deployments(settings, transaction)
        findings += _passwords(settings, await AccessService.default_passwords(transaction))
        if not database.engines.is_sqlite:
            answer = await transaction.session.execute(text("SELECT clock_timestamp()"))
            findings.append(_skew(answer.scalar_one()))
    return findings


def _missing(location: SqliteFile, settings: Settings) -> Finding:
    try:
        instance = read_instance(settings.data)
    except DataFolderNotUsable as error:
        return problem(CHECK, f"{error}", "see docs/operations.md")
    if instance is None or instance.database is None:
        return ok(CHECK, f"{location} does not exist yet; the first start creates it")
    return problem(
        CHECK,
        f"{location} is missing, and this data folder had a database",
        "put it back from a backup, or start with a new one: promptops up --new",
    )


async def _secret_key(settings: Settings, transaction: Transaction) -> Findings:
    key = settings.secret_key
    try:
        keys = SecretKeys(settings.data, key.get_secret_value() if key else None)
        await Vault(keys).require_key(transaction)
    except (SecretKeyUnreadable, StartRefused) as error:
        return [problem(SECRETS, f"{error}", "see docs/operations.md")]
    return []


def _passwords(settings: Settings, accounts: list[str]) -> Findings:
    if not accounts:
        return [ok(SECRETS, "no account has its default password")]
    name = accounts[0]
    level = problem if settings.env == "production" else warning
    return [
        level(
            SECRETS,
            f"the account {name!r} has the well-known default password",
            f"promptops set-password {name}",
        )
    ]


def _skew(theirs: datetime) -> Finding:
    seconds = theirs.timestamp() - time.time()
    if abs(seconds) <= MOST_SKEW_SECONDS:
        return ok(CLOCK, "agrees with the database's")
    return warning(
        CLOCK,
        f"differs from the database's by {seconds:+.0f} s, and sessions and keys expire by it",
        "synchronize both machines with a time server",
    )
