"""Addresses that hold a secret: whoever has one needs no token, and no log names it."""

APPROVAL_LINKS = "/api/approval-links"
# What follows one of these is secret.
PREFIXES = (f"{APPROVAL_LINKS}/",)


def has_secret(path: str) -> bool:
    """Whether the path is a secret by itself."""
    return path.startswith(PREFIXES)


def shown_path(path: str) -> str:
    """The path as logs may have it."""
    prefix = next((prefix for prefix in PREFIXES if path.startswith(prefix)), None)
    return path if prefix is None else f"{prefix}…"
