"""Runs commands of `promptops`, each in its own process that has loaded all modules already.

A new process needs more time to load the program than most commands need to run. `python -P
command_server.py SOCKET` waits for commands until its stdin ends, and forks for each.
"""

import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

from promptops_platform.cli import main

# A command's arguments and environment.
LONGEST_COMMAND = 1024 * 1024


def serve(listener: socket.socket) -> None:
    # The system reaps the children that nobody waits for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                _attend(connection)


def _attend(connection: socket.socket) -> None:
    """Run the command in another process, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    received, files, _, _ = socket.recv_fds(connection, LONGEST_COMMAND, 3)
    if not received:
        # A connection that only checked whether the server is up.
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        connection.close()
        os._exit(_run(json.loads(received), files))
    _, status = os.waitpid(pid, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(command: dict[str, Any], files: list[int]) -> int:
    for number, file in enumerate(files):
        os.dup2(file, number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.argv = ["promptops", *command["arguments"]]
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        serve(listening)
