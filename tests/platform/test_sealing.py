"""Encrypted secrets, and the keys that encrypt them."""

import base64
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.sealing import (
    KEY_FILE,
    Sealer,
    SecretKeys,
    SecretKeyUnreadable,
    Unsealable,
    parsed_keys,
)

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.text(), st.text())
def test_a_secret_comes_back_for_its_place_only(secret: str, place: str) -> None:
    sealed = Sealer([OLD]).seal(secret, place)
    assert Sealer([OLD]).unseal(sealed, place) == secret
    with pytest.raises(Unsealable, match="another place"):
        Sealer([OLD]).unseal(sealed, place + "x")


def test_another_key_reads_nothing() -> None:
    sealed = Sealer([OLD]).seal("s", "p")
    for wrong in (sealed, sealed[:-4], "", "x", Fernet.generate_key().decode()):
        with pytest.raises(Unsealable, match="another secret key"):
            Sealer([NEW]).unseal(wrong, "p")


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    both = Sealer([NEW, OLD])
    assert both.unseal(Sealer([OLD]).seal("s", "p"), "p") == "s"
    assert Sealer([NEW]).unseal(both.seal("s", "p"), "p") == "s"


def test_no_two_sealed_texts_are_alike() -> None:
    assert Sealer([OLD]).seal("s", "p") != Sealer([OLD]).seal("s", "p")


def test_keys_are_read_in_both_alphabets() -> None:
    key = bytes(range(224, 256))
    plain, safe = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    assert plain != safe
    assert parsed_keys(f" {plain} ,{safe},") == [key, key]


@pytest.mark.parametrize("text", ["", " , ", "S3CRET", "S3CRET" * 10, "é" * 44, "A" * 44 + "=="])
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32") as refused:
        parsed_keys(text)
    assert "S3CRET" not in str(refused.value)


def stored_text(data: Path) -> str:
    """The key of a data folder, made when there is none."""
    assert SecretKeys(data).sealer
    return (data / KEY_FILE).read_text()


def test_a_generated_key_stays_and_is_its_owners_alone(data_folder: Path) -> None:
    text = stored_text(data_folder)
    sealed = SecretKeys(data_folder).sealer.seal("s", "p")
    assert stored_text(data_folder) == text
    assert Sealer(parsed_keys(text)).unseal(sealed, "p") == "s"
    assert stat.S_IMODE((data_folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in data_folder.iterdir()] == [KEY_FILE]


def test_none_is_made_before_it_is_needed(data_folder: Path) -> None:
    keys = SecretKeys(data_folder)
    assert keys.missing == data_folder / KEY_FILE
    assert list(data_folder.iterdir()) == []
    assert keys.sealer
    assert keys.missing is None


def test_two_that_generate_one_at_once_get_the_same(data_folder: Path) -> None:
    several = [SecretKeys(data_folder) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        sealers = list(pool.map(lambda keys: keys.sealer, several))
    sealed = sealers[0].seal("s", "p")
    assert {sealer.unseal(sealed, "p") for sealer in sealers} == {"s"}


@pytest.mark.parametrize("content", [b"S3CRET", b"", b"\xff\xfe" * 22, b"S3CRET\0" * 6])
def test_a_mangled_file_is_named_and_left_alone(data_folder: Path, content: bytes) -> None:
    path = data_folder / KEY_FILE
    path.write_bytes(content)
    with pytest.raises(SecretKeyUnreadable, match=r"secret\.key.*from a backup") as refused:
        SecretKeys(data_folder)
    assert "S3CRET" not in str(refused.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_named_at_once(
    data_folder: Path, make: Callable[[Path], object]
) -> None:
    make(data_folder / KEY_FILE)
    with pytest.raises(SecretKeyUnreadable, match=r"secret\.key"):
        SecretKeys(data_folder)
