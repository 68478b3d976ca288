"""From a bearer token to the caller."""

import asyncio
import hmac
from typing import Protocol

from promptops_platform.access.permissions import NEEDED_ROLE, Permission, Role, allows
from promptops_platform.access.schemas import Actor
from promptops_platform.access.sessions import SessionMirror
from promptops_platform.access.tokens import SESSION_PREFIX, token_hash
from promptops_platform.errors import Forbidden, Unauthorized

# How long a token that is not known here may wait for news from other replicas, and how long
# no other unknown token makes it ask again.
NEWS_SECONDS = 0.5
PAUSE_SECONDS = 0.1


class News(Protocol):
    """What brings the sessions up to date: the change feed."""

    async def poll_now(self, seconds: float) -> None:
        """Apply what other replicas have committed up to now."""


class Authenticator:
    """Knows the static token and the open sessions."""

    def __init__(self, static_token: str, sessions: SessionMirror, news: News) -> None:
        self._static_token = static_token.encode()
        self._static_actor = Actor(username="admin", role=Role.ADMIN)
        self._sessions = sessions
        self._news = news
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    def actor(self, token: str) -> Actor | None:
        """Who holds `token`; None for nobody. Takes no query."""
        if hmac.compare_digest(token.encode(errors="surrogatepass"), self._static_token):
            return self._static_actor
        hashed = token_hash(token)
        session = self._sessions.find(hashed)
        if session is None:
            return None
        return Actor(session.username, session.role, session_hash=hashed)

    def is_valid(self, actor: Actor) -> bool:
        """Whether what `actor` logged in with is still valid."""
        return actor.session_hash is None or self._sessions.find(actor.session_hash) is not None

    async def authenticate(self, token: str | None) -> Actor:
        """The caller; raises Unauthorized. A session that another replica opened a moment ago is
        waited for, shortly."""
        if not token:
            raise Unauthorized("no token; send the header Authorization: Bearer TOKEN")
        actor = self.actor(token)
        if actor is None and token.startswith(SESSION_PREFIX):
            await self._ask_for_news()
            actor = self.actor(token)
        if actor is None:
            raise Unauthorized("the token is not valid, or its session has ended; log in again")
        return actor

    async def _ask_for_news(self) -> None:
        """Requests that come together share one question, and the next must wait a moment."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at >= PAUSE_SECONDS):
            self._asked_at = now
            self._asking = asyncio.create_task(self._news.poll_now(NEWS_SECONDS))
        await asyncio.shield(self._asking)


def require(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden, in the words of the wire contract, when the role is too low."""
    if not allows(actor.role, permission):
        raise Forbidden(f"forbidden: requires {NEEDED_ROLE[permission]} role")


def bearer_token(authorization: str | None) -> str | None:
    """The token of an `Authorization` header, None where it holds none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
