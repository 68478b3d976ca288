"""Where below a base URL an endpoint is."""

from __future__ import annotations

import re

import httpx

_VERSION = re.compile(r"v\d+\w*", re.ASCII)
_CHAT = ["chat", "completions"]
_ENDPOINTS = (_CHAT, ["responses"], ["messages"], ["chat"])


def endpoint(base: str, path: str) -> httpx.URL:
    """`path` below a root that may already hold the version (`/v1`), or the path's first part, or
    lead to an endpoint, as vendors' examples do (`…/chat/completions`).

    A query comes from the path only, the root's is dropped.
    """
    root = httpx.URL(base)
    path, _, query = path.partition("?")
    have = [part for part in root.path.split("/") if part]
    first, *rest = [part for part in path.split("/") if part]
    have = _without_endpoint(have, first)
    if rest == _CHAT and have[-2:] == _CHAT:
        # Without a version before it, it is the server's own place for it.
        first, rest = "", []
    elif _VERSION.fullmatch(first):
        if any(_VERSION.fullmatch(part) for part in have):
            first = ""
    elif have and (have[-1] == first or _VERSION.fullmatch(have[-1])):
        have.pop()
    parts = [*have, *([first] if first else []), *rest]
    return root.copy_with(path="/" + "/".join(parts), query=query.encode() or None, fragment=None)


def _without_endpoint(have: list[str], first: str) -> list[str]:
    if len(have) > 2 and have[-2] == "models" and ":" in have[-1]:
        return have[:-2]
    for endpoint_parts in _ENDPOINTS:
        before, tail = have[: -len(endpoint_parts)], have[-len(endpoint_parts) :]
        is_below_root = before and (_VERSION.fullmatch(before[-1]) or before[-1] == first)
        if tail == endpoint_parts and is_below_root:
            return before
    return have
