"""Password hashes: PBKDF2-HMAC-SHA256 (RFC 8018), off the event loop."""

import asyncio
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor

ROUNDS = 600_000
SALT_BYTES = 16
# A login costs a quarter of a second of CPU: one at a time leaves the other cores to requests.
_hashing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")


async def hash_password(password: str) -> str:
    """`pbkdf2_sha256$rounds$salt$hash`, salt and hash in hex."""
    return await _off_loop(_hash, password, secrets.token_bytes(SALT_BYTES), ROUNDS)


async def verify_password(password: str, stored: str | None) -> bool:
    """Compare in constant time; without a stored hash it takes as long and is False."""
    if stored is None:
        await hash_password(password)
        return False
    _, rounds, salt, _ = stored.split("$")
    computed = await _off_loop(_hash, password, bytes.fromhex(salt), int(rounds))
    return hmac.compare_digest(computed, stored)


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with fewer rounds than today's."""
    return int(stored.split("$")[1]) < ROUNDS


async def _off_loop(function: object, *arguments: object) -> str:
    loop = asyncio.get_running_loop()
    result: str = await loop.run_in_executor(_hashing, function, *arguments)  # type: ignore[arg-type]
    return result


def _hash(password: str, salt: bytes, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return f"pbkdf2_sha256${rounds}${salt.hex()}${digest.hex()}"
