"""Callers of every kind, created without the quarter of a second that each login costs."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from harness.platform import RunningPlatform
from promptops_platform.access.tables import SessionRow, UserRow
from promptops_platform.access.tokens import new_session_token, token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.clock import Clock, SystemClock
from promptops_platform.ids import new_id

PASSWORD = "correct horse"
# Hashed with few rounds, so that it is compared fast; a login hashes it again.
FEW_ROUNDS = 1000
SALT = bytes(16)
HASH = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, FEW_ROUNDS).hex()
LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Account:
    """A user with the password PASSWORD, and the token of a session."""

    id: str
    name: str
    token: str


async def new_account(
    platform: RunningPlatform, role: str = "viewer", *, clock: Clock | None = None
) -> Account:
    """Create a user with an open session."""
    now = (clock or SystemClock()).now()
    account = Account(new_id(), f"user-{new_id()}", new_session_token())
    changes = platform.platform.changes.log
    async with platform.platform.database.write() as transaction:
        transaction.session.add(
            UserRow(
                id=account.id,
                username=account.name,
                password_hash=f"pbkdf2_sha256${FEW_ROUNDS}${SALT.hex()}${HASH}",
                has_default_password=False,
                role=role,
                created_at=now,
            )
        )
        await transaction.session.flush()
        transaction.session.add(
            SessionRow(
                id=new_id(),
                token_hash=token_hash(account.token),
                user_id=account.id,
                created_at=now,
                expires_at=now + LIFETIME,
            )
        )
        changes.record(transaction, Change(ChangeType.USER_CHANGED, account.id))
    return account


async def new_api_key(
    platform: RunningPlatform, client: httpx.AsyncClient | None = None, **fields: Any
) -> dict[str, Any]:
    """Create a key and return it, with the secret as `key`."""
    answer = await (client or platform.http).post("/api/keys", json={"name": "test", **fields})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def login(platform: RunningPlatform, **body: str) -> httpx.Response:
    """Log in without an existing session."""
    async with platform.client(None) as client:
        return await client.post("/api/login", json=body, timeout=30)


async def me(platform: RunningPlatform, token: str) -> httpx.Response:
    """The owner of the token."""
    async with platform.client(token) as client:
        return await client.get("/api/me")


@asynccontextmanager
async def as_caller(platform: RunningPlatform, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends this token, with time-outs that a busy machine needs."""
    async with platform.client(token) as client:
        client.timeout = httpx.Timeout(30)
        yield client
