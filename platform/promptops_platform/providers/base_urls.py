"""Checks a `base_url` when it is saved or sent.

The gateway checks what its host resolves to when it connects.
"""

from promptops_platform.errors import BadRequest
from promptops_providers.transport.address_policy import AddressPolicy, ForbiddenAddress


class BaseUrls:
    """Checks addresses against the gateway's rule."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def check(self, base_url: str) -> None:
        """Raises BadRequest; the sentence repeats no more of the address than its host."""
        try:
            url = self._policy.check_url(base_url)
        except ForbiddenAddress as error:
            raise BadRequest(f"base_url: {error.sentence}") from error
        if url.query or url.fragment:
            raise BadRequest(
                "base_url: must not contain a query or a fragment; give the provider's root"
            )
