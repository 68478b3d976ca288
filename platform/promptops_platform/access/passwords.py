"""Password hashes: PBKDF2-HMAC-SHA256 (RFC 8018), off the event loop."""

import asyncio
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor

from promptops_platform.errors import BadRequest, TooManyRequests
from promptops_platform.settings import DEFAULT_TOKEN
from promptops_platform.text import BLANKS, alike

ROUNDS = 600_000
SALT_BYTES = 16
LONGEST_QUEUE = 20
SHORTEST = 8
# Everybody knows them from the documentation.
DEFAULTS = frozenset({"admin", DEFAULT_TOKEN})


def refuse_weak(password: str, username: str = "", field: str = "password") -> None:
    """Raises BadRequest for a new password that is short, known to everybody or the account's
    name; blanks around it count nowhere."""
    text = password.strip(BLANKS)
    if alike(text) in DEFAULTS:
        raise BadRequest(f"{field}: is a default that everybody knows; choose another one")
    if len(text) < SHORTEST:
        raise BadRequest(
            f"{field}: is too short; use at least {SHORTEST} characters, beside blanks around them"
        )
    if username and alike(text) == alike(username):
        raise BadRequest(f"{field}: is the name of the account; choose another one")


async def hash_password(password: str) -> str:
    """`pbkdf2_sha256$rounds$salt$hash`, salt and hash in hex."""
    return await _hashing.hash(password, secrets.token_bytes(SALT_BYTES), ROUNDS)


async def verify_password(password: str, stored: str | None) -> bool:
    """Compare in constant time; without a stored hash it takes as long and is False."""
    if stored is None:
        await hash_password(password)
        return False
    _, rounds, salt, _ = stored.split("$")
    computed = await _hashing.hash(password, bytes.fromhex(salt), int(rounds))
    return hmac.compare_digest(computed, stored)


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with fewer rounds than today's."""
    return int(stored.split("$")[1]) < ROUNDS


class _Hashing:
    """One thread: a login costs a quarter of a second of CPU, which leaves the rest to requests."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")
        self._waiting = 0

    async def hash(self, password: str, salt: bytes, rounds: int) -> str:
        """Raises TooManyRequests when too many wait already."""
        if self._waiting >= LONGEST_QUEUE:
            raise TooManyRequests("too many logins at once; try again", retry_after=5)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, _hash, password, salt, rounds)
        finally:
            self._waiting -= 1


def _hash(password: str, salt: bytes, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return f"pbkdf2_sha256${rounds}${salt.hex()}${digest.hex()}"


_hashing = _Hashing()
