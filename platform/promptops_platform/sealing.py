"""Secrets that are needed again as they were, a provider's API key for instance, encrypted."""

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
    """The file of the generated key can't be used; the text names it."""


class Unsealable(Exception):
    """A sealed text that another key has made, or that was made for another place."""


class Sealer:
    """Encrypts with the first key and decrypts with any (Fernet: AES-128-CBC, HMAC-SHA256).

    A secret is sealed for a place, a text that names where it belongs, and is given out for that
    place only. So whoever can write to the database can't have a secret used in another row.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are 32 bytes each, at least one."""
        # Only where something is sealed: it takes 10 MB, and the settings need this module.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._other_key = InvalidToken
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def seal(self, secret: str, place: str) -> str:
        """The sealed text; another one each time."""
        return self._fernet.encrypt(json.dumps([place, secret]).encode()).decode()

    def unseal(self, sealed: str, place: str) -> str:
        """The secret; raises Unsealable."""
        try:
            sealed_for, secret = json.loads(self._fernet.decrypt(sealed))
        except self._other_key as error:
            raise Unsealable("it was encrypted with another secret key") from error
        if sealed_for != place:
            raise Unsealable("it was encrypted for another place")
        return str(secret)


def new_key() -> str:
    """A key as `parsed_keys` reads it."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def parsed_keys(text: str) -> list[bytes]:
    """Comma-separated keys, each 32 bytes in Base64 of either alphabet; raises ValueError, whose
    text repeats none of them."""
    keys = [_parsed(key.strip()) for key in text.split(",") if key.strip()]
    if not keys:
        raise ValueError(f"holds no key; {REMEDY}")
    return keys


class SecretKeys:
    """The secret keys of a platform: those that it was given, else the one of its data folder.

    That one is made when it is first needed, so that whoever finds it missing beside secrets that
    it had encrypted can say so, and no new one takes its place.
    """

    def __init__(self, data: Path, text: str | None = None) -> None:
        """Raises ValueError for given keys that are none, and SecretKeyUnreadable for a file that
        holds none."""
        self._path = data / KEY_FILE
        self._keys = parsed_keys(text) if text else self._read()
        self._sealer: Sealer | None = None

    @property
    def missing(self) -> Path | None:
        """The file that should hold the key, where there is none yet."""
        return self._path if self._keys is None else None

    @property
    def sealer(self) -> Sealer:
        """Encrypts with the first key; raises SecretKeyUnreadable where none can be made."""
        if self._sealer is None:
            self._sealer = Sealer(self.make_missing())
        return self._sealer

    def make_missing(self) -> list[bytes]:
        """The keys; makes the data folder's where there is none. Raises SecretKeyUnreadable."""
        return self._keys or self._make()

    def _make(self) -> list[bytes]:
        try:
            create_private(self._path, new_key() + "\n")
        except FileNotUsable as error:
            raise SecretKeyUnreadable(str(error)) from error
        # Perhaps another process was faster: its key stands.
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
