"""A file of the runs whose responses were sent but that are not in the database yet.

Data written to the operating system survives the end of this process, so nothing here waits for the
disk: killing the process loses no run, a power failure may lose the latest ones.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from promptops_platform.runlog.prepared_call import PreparedCall

log = structlog.get_logger(__name__)

FOLDER = "calls"
# Beyond this size the files are rewritten with what is still pending, so that an outage can't fill
# the disk.
MOST_BYTES = 64_000_000


class CallJournal:
    """Numbered files; each run is one line in one of them."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._number = 0
        self._descriptor: int | None = None
        self._bytes = 0

    @property
    def is_too_large(self) -> bool:
        """Whether it should be rewritten."""
        return self._bytes > MOST_BYTES

    def append(self, call: PreparedCall) -> None:
        """Add a run; if the disk is full, the run is kept in memory only."""
        line = call.written().encode() + b"\n"
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            # A line that was cut off by a full disk must not corrupt the next one.
            if os.write(self._descriptor, line) != len(line):
                os.write(self._descriptor, b"\n")
        except OSError as error:
            log.warning("call_not_in_journal", run=call.id, reason=error.strerror)
        self._bytes += len(line)

    def begin_file(self) -> int:
        """Switch to a new file; return its number, for `drop_before`."""
        self._close()
        self._number += 1
        return self._number

    def drop_before(self, number: int) -> None:
        """Delete the files before this one, whose runs are all stored."""
        for path in self._files():
            if int(path.stem) < number:
                path.unlink(missing_ok=True)
        self._bytes = 0

    def rewrite(self, calls: Iterable[PreparedCall]) -> None:
        """Keep these runs only."""
        number = self.begin_file()
        self.drop_before(number)
        for call in calls:
            self.append(call)

    def read(self) -> list[PreparedCall]:
        """Return the runs that an earlier process left, in order."""
        files = self._files()
        if files:
            self._number = int(files[-1].stem) + 1
        return [call for path in files for call in _calls(path)]

    def close(self) -> None:
        """Close the file; its content is kept."""
        self._close()

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{self._number:012}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _files(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return sorted(path for path in self._folder.glob("*.jsonl") if path.stem.isdecimal())
        return []


def _calls(path: Path) -> Iterator[PreparedCall]:
    """Yield the readable lines; the last one may have been cut off."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield PreparedCall.read(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("journal_line_unreadable", file=str(path), reason=str(error))
