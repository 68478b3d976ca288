"""Authenticates callers by bearer token."""

import asyncio
import hmac
from typing import Protocol

from promptops_platform.access.actor import STATIC_TOKEN, Actor
from promptops_platform.access.credential_mirror import CredentialMirror
from promptops_platform.access.token_guesses import TokenGuesses
from promptops_platform.access.tokens import KEY_PREFIX, SESSION_PREFIX, token_hash
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.settings import DEFAULT_TOKEN

# How long an unknown token waits for the changes of other replicas, and the minimum time between
# two polls for these changes, however many requests come.
NEWS_SECONDS = 0.5
PAUSE_SECONDS = 0.02
# Shown in the documentation, so sending this token isn't counted as guessing.
KNOWN_TOKEN = DEFAULT_TOKEN.encode()


class News(Protocol):
    """Brings sessions and keys up to date: the change feed."""

    async def poll_now(self, seconds: float) -> None:
        """Apply what other replicas have committed up to now."""


class Authenticator:
    """Recognises the static token, open sessions and API keys."""

    def __init__(
        self,
        static_token: str,
        credentials: CredentialMirror,
        news: News,
        guesses: TokenGuesses,
    ) -> None:
        self._static_token = static_token.encode()
        self._credentials = credentials
        self._news = news
        self._guesses = guesses
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    def actor(self, token: str) -> Actor | None:
        """Return the owner of `token`, None if it is unknown. Runs no query."""
        if hmac.compare_digest(token.encode(errors="surrogatepass"), self._static_token):
            return STATIC_TOKEN
        credential = self._credentials.find(token_hash(token))
        if credential is None:
            return None
        self._credentials.note_use(credential)
        return credential.actor

    def recognized(self, token: str, address: str) -> Actor | None:
        """Return the caller if that needs no wait, count or refusal; otherwise None, and
        `authenticate` decides."""
        actor = self.actor(token)
        if (
            actor is STATIC_TOKEN
            and self._static_token != KNOWN_TOKEN
            and self._guesses.refused_seconds(address)
        ):
            return None
        return actor

    def current(self, actor: Actor) -> Actor | None:
        """Return the caller with its current permissions; None if the session or key has ended."""
        if actor.credential is None:
            return actor
        credential = self._credentials.find(actor.credential)
        return None if credential is None else credential.actor

    def require_current(self, actor: Actor) -> Actor:
        """Like `current`, but raises Unauthorized if the session or key has ended."""
        current = self.current(actor)
        if current is None:
            raise Unauthorized("the session or API key has ended; log in again")
        return current

    async def authenticate(self, token: str | None, address: str) -> Actor:
        """Return the caller; raises Unauthorized, and TooManyRequests after too many wrong tokens
        from the address. Waits briefly for a session or key that another replica has just created.
        """
        if not token:
            raise Unauthorized("no token; send the header Authorization: Bearer TOKEN")
        actor = self.actor(token)
        if actor is STATIC_TOKEN and self._static_token != KNOWN_TOKEN:
            _refuse_for(self._guesses.refused_seconds(address))
        if actor is None and token.startswith((SESSION_PREFIX, KEY_PREFIX)):
            await self._ask_for_news()
            actor = self.actor(token)
        if actor is None:
            _refuse_for(self._guesses.count(token_hash(token), address))
            raise Unauthorized(
                "the token is not valid: its session has ended, or the key was revoked or has "
                "expired; log in again, or use another key"
            )
        return actor

    async def _ask_for_news(self) -> None:
        """Concurrent requests share one poll for changes. The poll begins after all of these
        requests arrived: an earlier poll may have read the feed before the session or key was
        created."""
        if self._next is None:
            self._next = asyncio.create_task(self._question(self._asking))
        await asyncio.shield(self._next)

    async def _question(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._asked_at + PAUSE_SECONDS - loop.time())
        self._asking, self._next, self._asked_at = self._next, None, loop.time()
        await self._news.poll_now(NEWS_SECONDS)


def _refuse_for(seconds: int) -> None:
    if seconds:
        raise TooManyRequests(
            f"too many wrong tokens came from this address; try again in {seconds} seconds",
            retry_after=seconds,
        )


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an `Authorization` header, None without one."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
