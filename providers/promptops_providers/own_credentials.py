"""What a caller's own key and address mean for a target that has stored ones."""

from __future__ import annotations

from dataclasses import replace

from promptops_providers.gateway import Credentials, Target


def with_own(target: Target, api_key: str | None, base_url: str | None) -> Target:
    """The target, reached by the caller's own key and address; empty ones are not given.

    A stored key is never sent to an address of the caller's: who could name one would read the key
    there. The caller's own key goes to the stored address, if no other is given.
    """
    if base_url:
        return replace(target, credentials=Credentials(api_key or None, base_url))
    if api_key:
        return replace(target, credentials=Credentials(api_key, target.credentials.base_url))
    return target
