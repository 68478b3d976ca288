"""Encryption of secrets that are needed again in their original form, such as a provider's API
key."""

import base64
import binascii
import json
import os
from collections.abc import Sequence
from pathlib import Path

from promptops_platform.private_file import FileNotUsable, create_private, read_private

KEY_FILE = "secret.key"
KEY_BYTES = 32
REMEDY = "make one with: openssl rand -base64 32"
KEY_REMEDY = (
    "Put the file back from a backup; without it, the stored API keys of model providers can't be "
    "read. Where none are stored, remove the file, and the next start makes a new one."
)


class SecretKeyUnreadable(ValueError):
    """The file of the generated key can't be used; the message names it."""


class Unsealable(Exception):
    """The sealed text was encrypted with another key or for another place."""


class Sealer:
    """Encrypts with the first key and decrypts with any (Fernet: AES-128-CBC, HMAC-SHA256).

    A secret is sealed for a place, a text that says where it belongs, and can be unsealed for that
    place only. So nobody with write access to the database can use a secret in another row.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are 32 bytes each; at least one is required."""
        # Imported only when something is sealed: it takes 10 MB, and the settings need this module.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._other_key = InvalidToken
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def seal(self, secret: str, place: str) -> str:
        """Return the sealed text, which differs each time."""
        return self._fernet.encrypt(json.dumps([place, secret]).encode()).decode()

    def unseal(self, sealed: str, place: str) -> str:
        """Return the secret; raises Unsealable."""
        try:
            sealed_for, secret = json.loads(self._fernet.decrypt(sealed))
        except self._other_key as error:
            raise Unsealable("it was encrypted with another secret key") from error
        if sealed_for != place:
            raise Unsealable("it was encrypted for another place")
        return str(secret)


def new_key() -> str:
    """Return a new key in the format of `parsed_keys`."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def parsed_keys(text: str) -> list[bytes]:
    """Parse comma-separated keys, each 32 bytes in Base64 of either alphabet; raises ValueError
    without repeating a key."""
    keys = [_parsed(key.strip()) for key in text.split(",") if key.strip()]
    if not keys:
        raise ValueError(f"contains no key; {REMEDY}")
    return keys


class SecretKeys:
    """The secret keys of a platform: those of the settings, otherwise the one of its data folder.

    The data folder's key is created when it is first needed. So if it is missing although secrets
    were encrypted with it, that can be reported before a new key takes its place.
    """

    def __init__(self, data: Path, text: str | None = None) -> None:
        """Raises ValueError for invalid keys, and SecretKeyUnreadable for a file without a valid
        key."""
        self._path = data / KEY_FILE
        self._keys = parsed_keys(text) if text else self._read()
        self._sealer: Sealer | None = None

    @property
    def missing(self) -> Path | None:
        """Return the key's file if it does not exist yet."""
        return self._path if self._keys is None else None

    @property
    def sealer(self) -> Sealer:
        """Return the sealer, which encrypts with the first key; raises SecretKeyUnreadable if no
        key can be created."""
        if self._sealer is None:
            self._sealer = Sealer(self.make_missing())
        return self._sealer

    def make_missing(self) -> list[bytes]:
        """Return the keys; creates the data folder's key if it doesn't exist. Raises
        SecretKeyUnreadable."""
        return self._keys or self._make()

    def _make(self) -> list[bytes]:
        try:
            create_private(self._path, new_key() + "\n")
        except FileNotUsable as error:
            raise SecretKeyUnreadable(str(error)) from error
        # If another process was faster, its key counts.
        self._keys = self._read()
        assert self._keys is not None
        return self._keys

    def _read(self) -> list[bytes] | None:
        try:
            text = read_private(self._path)
            return None if text is None else parsed_keys(text)
        except FileNotUsable as error:
            raise SecretKeyUnreadable(f"{error}. {KEY_REMEDY}") from error
        except ValueError as error:
            raise SecretKeyUnreadable(f"{self._path}: {error}. {KEY_REMEDY}") from error


def _parsed(text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key must be {KEY_BYTES} bytes in Base64; {REMEDY}")
    return key
