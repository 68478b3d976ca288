"""Paths that contain a secret and must not be logged."""

APPROVAL_LINKS = "/api/approval-links"
APPROVAL_PAGES = "/approve"
HOOKS_PATH = "/hooks/"
# Whoever knows the rest of one of these paths needs no token.
PREFIXES = (f"{APPROVAL_LINKS}/",)
# The rest of one of these paths is never logged or traced.
_HIDDEN = (*PREFIXES, f"{APPROVAL_PAGES}/", HOOKS_PATH)


def has_secret(path: str) -> bool:
    """Whether the path is a secret by itself."""
    return path.startswith(PREFIXES)


def is_hidden(path: str) -> bool:
    """Whether a part of the path must be hidden."""
    return path.startswith(_HIDDEN)


def shown_path(path: str) -> str:
    """Return the path as it may be logged."""
    prefix = next((prefix for prefix in _HIDDEN if path.startswith(prefix)), None)
    return path if prefix is None else f"{prefix}…"
