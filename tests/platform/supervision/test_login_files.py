from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from promptops_platform.supervision.login_files import (
    UnreadableCredentialsError,
    stored_credentials,
)


def test_they_are_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "prefect-auth"
    first = stored_credentials(path)
    user, _, password = first.partition(":")
    assert user == "admin"
    assert len(password) == 32
    assert stored_credentials(path) == first
    assert list(path.parent.iterdir()) == [path]


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "prefect-auth"
    stored_credentials(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    stored_credentials(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_places_have_different_ones(tmp_path: Path) -> None:
    assert stored_credentials(tmp_path / "a") != stored_credentials(tmp_path / "b")


def test_made_by_several_at_once_all_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        credentials = set(pool.map(stored_credentials, [tmp_path / "prefect-auth"] * 32))
    assert len(credentials) == 1


@pytest.mark.parametrize("text", ["", "no-colon", "admin:", ":password"])
def test_a_mangled_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prefect-auth"
    path.write_text(text)
    with pytest.raises(UnreadableCredentialsError, match="prefect-auth"):
        stored_credentials(path)
