"""Signatures of webhooks according to Standard Webhooks, version 1, with shared secrets.

The format is specified at
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md:
HMAC-SHA-256 over `id.timestamp.body`, in Base64 after `v1,`; several signatures, such as with the
current and the previous secret, are separated by spaces. A secret is `whsec_` followed by Base64.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable

ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)
SECRET_PREFIX = "whsec_"  # noqa: S105  the prefix of secrets
SECRET_BYTES = 32
# Senders that rotate their secret send two signatures.
MOST_SIGNATURES = 8
_VERSION = "v1,"


def new_secret() -> str:
    """A secret in the form that sender and receiver store."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature with its version; raises ValueError for a secret that isn't Base64. `timestamp`
    is in seconds since 1970."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not Base64") from error
    signed = f"{message_id}.{timestamp}.".encode() + body
    return _VERSION + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signed_headers(
    keys: Iterable[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The headers of a message, with a signature for each secret."""
    signatures = (signature(key, message_id, timestamp, body) for key in keys)
    return {
        ID_HEADER: message_id,
        TIME_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(signatures),
    }


def is_signed(sent: str, keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> bool:
    """Whether one of the signatures in `sent` matches one of the secrets. All are compared in
    constant time."""
    expected = [signature(key, message_id, timestamp, body).encode() for key in keys]
    matches = False
    for candidate in sent.encode(errors="replace").split(b" ", MOST_SIGNATURES)[:MOST_SIGNATURES]:
        for right in expected:
            matches |= hmac.compare_digest(candidate, right)
    return matches
