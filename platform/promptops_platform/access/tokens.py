"""Session tokens and API keys: random, shown once, stored as a hash."""

import hashlib
import secrets

SESSION_PREFIX = "pos_"
KEY_PREFIX = "pok_"
LINK_PREFIX = "pol_"
# The part of a key that may be shown and searched: 8 of its 43 random characters.
SHOWN_CHARACTERS = len(KEY_PREFIX) + 8


def new_session_token() -> str:
    """Return 256 random bits."""
    return f"{SESSION_PREFIX}{secrets.token_urlsafe(32)}"


def new_api_key() -> str:
    """Return 256 random bits."""
    return f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"


def new_link_token() -> str:
    """Return 256 random bits."""
    return f"{LINK_PREFIX}{secrets.token_urlsafe(32)}"


def shown_prefix(key: str) -> str:
    """Return the part of an API key by which people recognise it."""
    return key[:SHOWN_CHARACTERS]


def token_hash(token: str) -> str:
    """Return the SHA-256 in hex: tokens are random, so neither salt nor stretching would add
    anything."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
