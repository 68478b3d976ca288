"""The folder of the tests' files: in memory, if there is room for them.

A test writes some thousand times and waits for the disk each time, like the product. When other
programs write, a disk takes seconds for that, and tests with limits fail.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # Linux's own; in a container of Docker it has 64 MB and runs no programs
_LEAST_FREE_BYTES = 4 * 1024**3
# (A process that another one started has its TMPDIR already.)
DISK = next(
    path for path in (Path(tempfile.gettempdir()), Path("/tmp"), Path.cwd()) if path != MEMORY
)


def keep_files_in_memory() -> None:
    """For this process and its children, unless TMPDIR is set."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _has_room() -> bool:
    return (
        MEMORY.is_dir()
        and os.access(MEMORY, os.W_OK)
        and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(MEMORY).free >= _LEAST_FREE_BYTES
    )
