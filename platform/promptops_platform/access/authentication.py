"""From a bearer token to the caller."""

import hmac

from promptops_platform.access.permissions import NEEDED_ROLE, Permission, Role, allows
from promptops_platform.access.schemas import Actor
from promptops_platform.access.sessions import SessionMirror
from promptops_platform.access.tokens import token_hash
from promptops_platform.errors import Forbidden, Unauthorized


class Authenticator:
    """Knows the static token and the open sessions."""

    def __init__(self, static_token: str, sessions: SessionMirror) -> None:
        self._static_token = static_token.encode()
        self._static_actor = Actor(username="admin", role=Role.ADMIN)
        self._sessions = sessions

    def actor(self, token: str) -> Actor | None:
        """Who holds `token`; None for nobody. Takes no query."""
        if hmac.compare_digest(token.encode(errors="surrogatepass"), self._static_token):
            return self._static_actor
        hashed = token_hash(token)
        session = self._sessions.find(hashed)
        if session is None:
            return None
        return Actor(session.username, session.role, session_hash=hashed)

    def authorize(self, token: str | None, permission: Permission) -> Actor:
        """The caller, if it has `permission`; raises Unauthorized or Forbidden."""
        if not token:
            raise Unauthorized("no token; send the header Authorization: Bearer TOKEN")
        actor = self.actor(token)
        if actor is None:
            raise Unauthorized("the token is not valid, or its session has ended; log in again")
        require(actor, permission)
        return actor


def require(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden, in the words of the wire contract, when the role is too low."""
    if not allows(actor.role, permission):
        raise Forbidden(f"forbidden: requires {NEEDED_ROLE[permission]} role")


def bearer_token(authorization: str | None) -> str | None:
    """The token of an `Authorization` header, None where it holds none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
