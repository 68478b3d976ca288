"""A child process of a fork continues with its own connections, and leaves its parent's alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.sdk_drivers import SDK
from harness.sdk_server import SdkServer, event
from promptops import PromptOpsClient

MakeClient = Callable[..., PromptOpsClient]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


# Python warns of a fork in a process with threads, which is the subject of these tests.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_watches_by_itself(
    server: SdkServer, make_client: Callable[..., PromptOpsClient]
) -> None:
    client = make_client()
    server.put("greeting", "one")
    client.get_prompt("greeting")
    client.watch()
    parents = server.watcher()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            inherited = client.render("greeting")
            os.write(write, b"ready")
            while client.render("greeting") == inherited:
                pass
            client.get_prompt("other")
            client.close()
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    server.put("other", "x")
    childs = server.watcher()
    assert os.read(read, 5) == b"ready"
    server.put("greeting", "two")
    childs.tell(event("greeting"))
    assert childs.receive()[0] == 8
    childs.drop()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(read)
    assert client.get_prompt("greeting", refresh=True)["content"] == "two"
    assert not parents.ended.is_set()
    parents.ping()
    assert parents.receive()[0] == 10


# A separate process, with only the client's threads. `ctypes` forks like a process manager in C
# (uWSGI): Python does not notice, and calls none of its hooks. Such a fork happens while no other
# thread asks for Python's lock; the child of any other one may hang in Python itself.
PROGRAM = """
import ctypes, itertools, os, sys, time
from pathlib import Path
from promptops import PromptOpsClient

def switches():
    tasks = set(os.listdir("/proc/self/task")) - {str(os.getpid())}
    lines = [Path(f"/proc/self/task/{task}/status").read_text().splitlines() for task in tasks]
    return sorted(line for line in itertools.chain(*lines) if "ctxt" in line)

def wait_until_the_others_sleep():
    before = None
    while before != (before := switches()):
        time.sleep(0.1)

url, kind, watch, call = sys.argv[1:]
client = PromptOpsClient(url)
client.get_prompt("greeting")
if watch == "watching":
    client.watch()
if kind == "no hooks":
    wait_until_the_others_sleep()
child = os.fork() if kind == "hooks" else ctypes.PyDLL(None).fork()
if child:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.close()
    sys.exit(code)
try:
    os.write(1, b"forked\\n")
    os.read(0, 1)
    if call == "close":
        answer = "closed"
    elif call == "render":
        answer = client.render("greeting")
    else:
        prompt = client.get_prompt("greeting")
        answer = prompt["content"] + " from " + prompt["source"]
    client.close()
    os.write(1, answer.encode())
    os._exit(0)
except BaseException as error:
    os.write(2, repr(error).encode())
    os._exit(1)
"""


# With listeners, and a child that makes no call.
LISTENING = """
import os, sys
from promptops import PromptOpsClient

parent = os.getpid()
client = PromptOpsClient(sys.argv[1])
client.get_prompt("greeting")

def tell(update):
    if os.getpid() != parent:
        os.write(1, update["prompt"]["content"].encode())
        os._exit(0)

client.watch(tell)
child = os.fork()
if child:
    os.write(1, b"forked\\n")
    os.read(0, 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.close()
    sys.exit(code)
while True:
    os.read(os.pipe()[0], 1)
"""

# An event loop of a child process, beside the one that its parent has had.
LOOPS = """
import asyncio, os, sys
from promptops import AsyncPromptOpsClient

client = AsyncPromptOpsClient(sys.argv[1])

async def begin():
    await client.watch()
    await client.get_prompt("greeting")

asyncio.run(begin())
child = os.fork()
if child:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    asyncio.run(client.close())
    sys.exit(code)
os.write(1, b"forked\\n")
os.read(0, 1)
os.write(1, asyncio.run(client.render("greeting")).encode())
asyncio.run(client.close())
"""


@contextlib.contextmanager
def forked(*arguments: str, source: str = PROGRAM) -> Iterator[Callable[[], str]]:
    """A forked program; yields a function that lets the child continue and returns its output."""
    command = [sys.executable, "-c", source, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SDK / "python"), "PYTHONWARNINGS": "ignore"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        output = program.stdout
        try:
            assert output.readline() == b"forked\n"

            def go_on() -> str:
                out, _ = program.communicate(b"x", timeout=90)
                assert program.returncode == 0
                return out.decode()

            yield go_on
        finally:
            program.kill()


WITHOUT_HOOKS = pytest.param(
    "no hooks",
    marks=pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
)
of_each_kind = pytest.mark.parametrize("kind", ["hooks", WITHOUT_HOOKS])
of_each_watch = pytest.mark.parametrize("watch", ["watching", "not watching"])


@of_each_kind
@of_each_watch
@pytest.mark.parametrize("call", ["render", "get_prompt"])
def test_a_child_fetches_before_its_first_result(
    server: SdkServer, kind: str, watch: str, call: str
) -> None:
    server.put("greeting", "one")
    with forked(server.url, kind, watch, call) as go_on:
        # No watcher is notified of it.
        server.put("greeting", "two")
        assert go_on().startswith("two")


@of_each_kind
def test_a_child_returns_the_parents_copy_if_the_server_is_down(
    server: SdkServer, kind: str
) -> None:
    server.put("greeting", "one")
    with forked(server.url, kind, "not watching", "get_prompt") as go_on:
        server.stop()
        assert go_on() == "one from memory"
    server.start()


@of_each_kind
def test_a_child_closes_immediately_without_affecting_the_parents_watch(
    server: SdkServer, kind: str
) -> None:
    server.put("greeting", "one")
    with forked(server.url, kind, "watching", "close") as go_on:
        parents = server.watcher()
        began = server.new_watchers.qsize()
        assert go_on() == "closed"
        assert server.new_watchers.qsize() == began
        # The parent itself has sent its close frame.
        assert parents.receive()[0] == 8
        parents.drop()


def test_listeners_run_in_a_child_that_makes_no_call(server: SdkServer) -> None:
    server.put("greeting", "one")
    with forked(server.url, source=LISTENING) as go_on:
        server.watcher()
        childs = server.watcher()
        server.put("greeting", "two")
        childs.tell(event("greeting"))
        assert go_on() == "two"
        server.drop_connections()


def test_an_asyncio_client_in_a_childs_event_loop(server: SdkServer) -> None:
    server.put("greeting", "one")
    with forked(server.url, source=LOOPS) as go_on:
        server.put("greeting", "two")
        assert go_on() == "two"
        server.drop_connections()


def test_no_thread_for_the_watch(
    server: SdkServer,
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = make_client(max_age=0.0)
    server.put("greeting", "one")
    client.get_prompt("greeting")
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("promptops"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    client.watch()
    # The calling thread fetches old copies.
    server.put("greeting", "two")
    assert client.render("greeting") == "two"
    server.bodies["greeting"] = (503, b"")
    assert client.render("greeting") == "two"
    fetch_count = server.fetches("greeting")
    client._store.end_pauses()
    assert client.render("greeting") == "two"
    assert server.fetches("greeting") == fetch_count, "a server that fails is left in peace"
    assert caplog.text.count("hot reload has no thread") == 1
    assert caplog.text.count("refreshed in the calling threads") == 1
    # The watch is started as soon as there is a thread.
    monkeypatch.undo()
    client._no_thread_until = 0.0
    client.render("greeting")
    server.watcher()
