"""Secrets that are needed again as they were, a provider's API key for instance, encrypted."""

import base64
import binascii
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from promptops_platform.private_file import create_private

KEY_FILE = "secret.key"
KEY_BYTES = 32
REMEDY = "make one with: openssl rand -base64 32"


class SecretKeyUnreadable(ValueError):
    """The file of the generated key holds none; the text names it."""


class Unsealable(Exception):
    """A sealed text that another key has made, or that was made for another place."""


class Sealer:
    """Encrypts with the first key and decrypts with any (Fernet: AES-128-CBC, HMAC-SHA256).

    A secret is sealed for a place, a text that names where it belongs, and is given out for that
    place only. So whoever can write to the database can't have a secret used in another row.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are 32 bytes each, at least one."""
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def seal(self, secret: str, place: str) -> str:
        """The sealed text; another one each time."""
        return self._fernet.encrypt(json.dumps([place, secret]).encode()).decode()

    def unseal(self, sealed: str, place: str) -> str:
        """The secret; raises Unsealable."""
        try:
            sealed_for, secret = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise Unsealable("it was encrypted with another secret key") from error
        if sealed_for != place:
            raise Unsealable("it was encrypted for another place")
        return str(secret)


def parsed_keys(text: str) -> list[bytes]:
    """Comma-separated keys, each 32 bytes in Base64 of either alphabet; raises ValueError, whose
    text repeats none of them."""
    keys = [_parsed(each.strip()) for each in text.split(",") if each.strip()]
    if not keys:
        raise ValueError(f"holds no key; {REMEDY}")
    return keys


def stored_key(data: Path) -> list[bytes]:
    """The key of this data folder, generated at the first call; raises SecretKeyUnreadable when
    somebody emptied or mangled its file."""
    path = data / KEY_FILE
    if not path.exists():
        create_private(path, Fernet.generate_key().decode() + "\n")
    path.chmod(0o600)
    try:
        return parsed_keys(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SecretKeyUnreadable(
            f"{path}: {error}. Put the file back from a backup; without it, stored API keys of "
            "model providers can't be read."
        ) from error


def _parsed(text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key must be {KEY_BYTES} bytes in Base64; {REMEDY}")
    return key
