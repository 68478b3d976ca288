"""A child process of a fork goes on with connections of its own, and leaves its parent's alone."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from harness.sdk_server import SdkServer, event
from promptops import PromptOpsClient

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


# Python warns of a fork beside threads, which is what this is about.
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
            held = client.render("greeting")
            os.write(write, b"ready")
            while client.render("greeting") == held:
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
