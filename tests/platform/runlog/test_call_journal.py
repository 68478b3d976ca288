"""Runs that were answered outlive the process that answered them."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import detail, model_call, new_run
from promptops_platform.runlog import call_journal
from promptops_platform.runlog.call_journal import FOLDER, CallJournal
from promptops_platform.runlog.prepared_call import PreparedCall


async def prepared(platform: RunningPlatform, output: str = "an answer") -> PreparedCall:
    return await platform.platform.runlog.log.prepare_call(new_run(), model_call(output=output))


async def test_what_was_appended_is_read_by_the_next_process(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    calls = [await prepared(platform, "\N{SNOWMAN} line\nbreak") for _ in range(3)]
    journal = CallJournal(tmp_path)
    journal.append(calls[0])
    journal.begin_file()
    for call in calls[1:]:
        journal.append(call)
    assert CallJournal(tmp_path).read() == calls
    journal.close()


async def test_files_whose_runs_are_stored_are_dropped(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    first, second = [await prepared(platform) for _ in range(2)]
    journal = CallJournal(tmp_path)
    journal.append(first)
    number = journal.begin_file()
    journal.append(second)
    journal.drop_before(number)
    assert CallJournal(tmp_path).read() == [second]
    journal.close()


async def test_only_the_owner_may_read_it(platform: RunningPlatform, tmp_path: Path) -> None:
    journal = CallJournal(tmp_path)
    journal.append(await prepared(platform))
    journal.close()
    folder = tmp_path / FOLDER
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize(
    "broken",
    [b'{"run": {"id', b"\xff\xfe", b"[]", b"7", b"{}", b'{"run": {}, "step": {}, "ended_at": ""}'],
)
async def test_a_line_that_was_cut_off_spoils_no_other(
    platform: RunningPlatform, tmp_path: Path, broken: bytes
) -> None:
    call = await prepared(platform)
    journal = CallJournal(tmp_path)
    journal.append(call)
    journal.close()
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(broken + b"\n" + file.read_bytes() + broken)
    with capture_logs() as logs:
        assert CallJournal(tmp_path).read() == [call]
    assert [entry["event"] for entry in logs] == ["journal_line_unreadable"] * 2


async def test_columns_of_another_release_are_reported(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    fields = json.loads((await prepared(platform)).written())
    fields["run"]["added_later"] = 1
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "000000000000.jsonl").write_text(json.dumps(fields) + "\n")
    with capture_logs() as logs:
        assert CallJournal(tmp_path).read() == []
    assert "added_later" in logs[0]["reason"]


async def test_a_disk_that_takes_nothing_refuses_no_run(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    journal = CallJournal(tmp_path)
    monkeypatch.setattr(os, "write", full)
    with capture_logs() as logs:
        journal.append(await prepared(platform))
    monkeypatch.undo()
    journal.close()
    assert logs[-1]["event"] == "call_not_in_journal"


async def test_an_outage_fills_no_disk(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [await prepared(platform) for _ in range(3)]
    monkeypatch.setattr(call_journal, "MOST_BYTES", 2 * len(calls[0].written()))
    journal = CallJournal(tmp_path)
    for call in calls:
        journal.append(call)
    assert journal.is_too_large
    journal.rewrite(calls[1:])
    assert CallJournal(tmp_path).read() == calls[1:]
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    journal.close()


async def test_runs_that_a_process_left_are_stored_once_by_the_next(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        stored, left = [await prepared(platform) for _ in range(2)]
        async with platform.platform.database.write() as transaction:
            await platform.platform.runlog.log.record_calls(transaction, [stored])
    journal = CallJournal(data_folder)
    for call in (stored, left):
        journal.append(call)
    journal.close()
    async with running_platform(settings) as platform:
        for call in (stored, left):
            assert (await detail(platform, call.id))["output"] == "an answer"
        assert (await platform.http.get("/api/runs/stats")).json()["total"] == 2
        assert not list((data_folder / FOLDER).iterdir())


async def test_a_line_of_the_release_before_is_stored(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """It knew neither states of runs nor failures of steps."""
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        fields = json.loads((await prepared(platform)).written())
        run_fields = (
            "prompt_variant",
            "state",
            "version",
            "retry_of",
            "began_at",
            "attempt",
            "is_detached",
        )
        for name in (*run_fields, "cancelled_by", "cancel_requested_by"):
            del fields["run"][name]
        for name in ("version", "prompts", "failures", "items", "reused"):
            del fields["step"][name]
        call = PreparedCall.read(json.dumps(fields))
        async with platform.platform.database.write() as transaction:
            await platform.platform.runlog.log.record_calls(transaction, [call])
        run = await detail(platform, call.id)
    assert (run["state"], run["waited_ms"], run["steps"][0]["reused"]) == ("completed", 0, False)


async def test_it_holds_what_the_settings_let_be_stored_and_no_more(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("sqlite", postgres, data_folder, run_texts="none")
    async with running_platform(settings) as platform:
        run = new_run(inputs={"variables": {"a": "MARKED"}})
        call = model_call(input="MARKED", output="MARKED", ended_at=datetime.now(UTC))
        line = (await platform.platform.runlog.log.prepare_call(run, call)).written()
    assert "MARKED" not in line
