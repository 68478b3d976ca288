"""Ends a child process together with its parent, even if the parent was killed with -9.

The parent keeps the write end of a pipe that is the child's stdin, and never writes to it. However
the parent ends, the kernel closes that pipe, and the child reads the end of the file.
"""

from __future__ import annotations

import os
import signal
import threading
import time

PIPE_VARIABLE = "PROMPTOPS_PARENT_PIPE"
_STDIN = 0
_CHUNK = 4096


def exit_with_parent(bound_seconds: float = 35.0) -> None:
    """Watch the parent's pipe on stdin if the environment contains `PROMPTOPS_PARENT_PIPE=1`.

    When the pipe closes, this process gets a SIGTERM for a graceful stop, and is killed if it still
    runs `bound_seconds` later. Returns at once.
    """
    if os.environ.get(PIPE_VARIABLE) != "1":
        return
    watcher = threading.Thread(
        target=_stop_at_end_of_pipe, args=(bound_seconds,), name="parent-watch", daemon=True
    )
    watcher.start()


def _stop_at_end_of_pipe(bound_seconds: float) -> None:
    # os.read, not sys.stdin: a daemon thread that blocks in a buffered reader keeps its lock, and
    # the interpreter aborts on it at a normal exit.
    while os.read(_STDIN, _CHUNK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(bound_seconds)
    os._exit(1)
