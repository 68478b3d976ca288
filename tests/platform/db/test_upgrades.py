"""Every released schema is upgraded: the stored platforms of all releases, on both databases."""

import json
import shutil
from pathlib import Path

import pytest

from harness.baseline import FOLDER, SECRET_KEY, answers, backup_path, lost
from harness.platform import DatabaseKind, new_data_folder, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.backups.restoring import restore_backup

RELEASES = sorted({path.name.partition("-")[0] for path in FOLDER.glob("*.backup")})


@pytest.mark.parametrize("release", RELEASES)
async def test_nothing_is_lost_since(
    release: str, database_kind: DatabaseKind, postgres: Postgres
) -> None:
    path = backup_path(release, database_kind)
    before = json.loads(path.with_suffix(".json").read_text())
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, empty=True, secret_key=SECRET_KEY)
    await restore_backup(settings, path, replace=False)
    async with running_platform(settings) as platform:
        assert lost(before, await answers(platform)) == []
        prompt = next(row for row in before["prompts"].values() if row["key"] == "greeting")
        await platform.publish(prompt["id"])
        assert (await platform.fetch("greeting", "dev")).status_code == 404
    shutil.rmtree(data)


def test_there_is_a_baseline_of_each_database() -> None:
    names = {path.name for path in Path(FOLDER).glob("*.backup")}
    assert names == {
        f"{release}-{kind}.backup" for release in RELEASES for kind in ("sqlite", "postgresql")
    }
    assert RELEASES
