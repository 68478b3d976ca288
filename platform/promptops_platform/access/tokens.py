"""Session tokens: random, shown once, stored as a hash."""

import hashlib
import secrets

SESSION_PREFIX = "pos_"


def new_session_token() -> str:
    """256 random bits."""
    return f"{SESSION_PREFIX}{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> str:
    """SHA-256 in hex: tokens are random, so neither salt nor stretching would add anything."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
