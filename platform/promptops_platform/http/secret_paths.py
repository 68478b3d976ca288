"""Addresses that hold a secret, which no log names."""

APPROVAL_LINKS = "/api/approval-links"
APPROVAL_PAGES = "/approve"
HOOKS_PATH = "/hooks/"
# Whoever has what follows one of these needs no token.
PREFIXES = (f"{APPROVAL_LINKS}/",)
# What follows one of these is in no log and no trace.
_HIDDEN = (*PREFIXES, f"{APPROVAL_PAGES}/", HOOKS_PATH)


def has_secret(path: str) -> bool:
    """Whether the path is a secret by itself."""
    return path.startswith(PREFIXES)


def is_hidden(path: str) -> bool:
    """Whether a part of the path is for no other eyes."""
    return path.startswith(_HIDDEN)


def shown_path(path: str) -> str:
    """The path as logs may have it."""
    prefix = next((prefix for prefix in _HIDDEN if path.startswith(prefix)), None)
    return path if prefix is None else f"{prefix}…"
