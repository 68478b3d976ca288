"""Password hashes: PBKDF2-HMAC-SHA256 (RFC 8018), off the event loop."""

import asyncio
import hashlib
import hmac
import os
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from promptops_platform.errors import BadRequest, TooManyRequests
from promptops_platform.fair_queue import FairQueue, QueueFull
from promptops_platform.field_types import BLANKS, alike
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.settings import DEFAULT_TOKEN

ROUNDS = 600_000
SALT_BYTES = 16
# Limits of waiting logins: of one address, and in total.
LONGEST_LINE = 20
LONGEST_QUEUE = 40
NICENESS = 10
SHORTEST = 8
# The documentation publishes them.
DEFAULTS = frozenset({"admin", DEFAULT_TOKEN})


def refuse_weak(password: str, username: str = "", field: str = "password") -> None:
    """Raises BadRequest for a new password that is short, well known or the account's name; spaces
    around it are ignored."""
    text = password.strip(BLANKS)
    if alike(text) in DEFAULTS:
        raise BadRequest(f"{field}: is a well-known default; choose another one")
    if len(text) < SHORTEST:
        raise BadRequest(
            f"{field}: is too short; use at least {SHORTEST} characters, not counting blanks "
            "around them"
        )
    if username and alike(text) == alike(username):
        raise BadRequest(f"{field}: is the name of the account; choose another one")


async def hash_password(password: str, *, line: str = "") -> str:
    """Return `pbkdf2_sha256$rounds$salt$hash`, salt and hash in hex. `line` identifies who waits,
    such as the network of a login; raises TooManyRequests if too many wait."""
    return await _hashing.hash(password, secrets.token_bytes(SALT_BYTES), ROUNDS, line)


async def verify_password(password: str, stored: str | None, *, line: str = "") -> bool:
    """Compare in constant time; without a stored hash it takes as long and returns False."""
    if stored is None:
        await hash_password(password, line=line)
        return False
    _, rounds, salt, _ = stored.split("$")
    computed = await _hashing.hash(password, bytes.fromhex(salt), int(rounds), line)
    return hmac.compare_digest(computed, stored)


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with fewer rounds than are used now."""
    return int(stored.split("$")[1]) < ROUNDS


class _Hashing:
    """Hashes on a single thread: each login costs a quarter of a second of CPU, and requests need
    the rest. The logins of each address wait in a separate queue."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="password", initializer=_give_way
        )
        self._queue = FairQueue(1, most_waiting=LONGEST_QUEUE, most_per_line=LONGEST_LINE)

    async def hash(self, password: str, salt: bytes, rounds: int, line: str) -> str:
        """Raises TooManyRequests if too many are waiting."""
        leave_loop_share()
        try:
            await self._queue.enter(line)
        except QueueFull:
            raise TooManyRequests("too many logins at once; try again", retry_after=5) from None
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, _hash, password, salt, rounds)
        finally:
            self._queue.leave()


def _give_way() -> None:
    """Lower the thread's priority; on Linux each thread has its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _hash(password: str, salt: bytes, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return f"pbkdf2_sha256${rounds}${salt.hex()}${digest.hex()}"


_hashing = _Hashing()
