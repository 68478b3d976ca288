"""Fetches: requests, cached copies, errors, and the effect of `close`."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.processes import eventually
from harness.sdk_server import DEADLINE, Hold, SdkServer, scripted
from promptops import (
    ClientClosedError,
    ForbiddenError,
    MissingVariableError,
    NotFoundError,
    PromptOpsClient,
    PromptOpsError,
    ProtocolError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    ServerUnreachableError,
    UnauthorizedError,
    __version__,
)

MakeClient = Callable[..., PromptOpsClient]


def test_returns_exactly_the_fields_of_the_response(
    server: SdkServer, client: PromptOpsClient
) -> None:
    server.put("greeting", "Hello {{who}}!")
    server.prompts["greeting"]["variant"] = "B"
    prompt = client.get_prompt("greeting")
    assert prompt.items() >= server.prompts["greeting"].items()
    assert prompt["source"] == "server"
    assert prompt["age"] < DEADLINE
    assert client.render("greeting", {"who": "Ada"}) == "Hello Ada!"
    assert client.render("greeting") == "Hello {{who}}!"


def test_the_request(server: SdkServer, make_client: MakeClient) -> None:
    server.token = "other"
    client = make_client(namespace="a b/ü", token="other")
    server.put("mein prompt/50% ü?#", "x")
    with pytest.raises(NotFoundError):
        client.get_prompt("mein")
    path = server.requests[0].path
    assert path == "/api/sdk/prompts/mein?env=a%20b%2F%C3%BC&full=true"
    assert server.requests[0].headers["authorization"] == "Bearer other"
    assert server.requests[0].headers["user-agent"] == f"promptops-python/{__version__}"
    assert server.requests[0].headers["host"] == f"localhost:{server.port}"
    assert "if-none-match" not in server.requests[0].headers
    with pytest.raises(NotFoundError):
        client.get_prompt("a/b%?#ü ")
    assert server.requests[1].path.startswith("/api/sdk/prompts/a%2Fb%25%3F%23%C3%BC%20?env=")


def test_caches_fetched_prompts(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    first = client.get_prompt("greeting")
    server.put("greeting", "two")
    first["content"] = "spoiled by the caller"
    assert client.get_prompt("greeting")["content"] == "one"
    assert server.fetches("greeting") == 1
    assert client.get_prompt("greeting", refresh=True)["content"] == "two"
    assert client.render("greeting") == "two"


def test_a_refresh_sends_the_etag(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    assert client.get_prompt("greeting", refresh=True)["content"] == "one"
    assert server.requests[1].headers["if-none-match"].startswith('"')


def test_one_connection_for_many_requests(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    for _ in range(5):
        client.get_prompt("greeting", refresh=True)
        with pytest.raises(NotFoundError):
            client.get_prompt("missing")
    assert len({request.connection for request in server.requests}) == 1


def test_a_kept_connection_that_the_server_closed(
    server: SdkServer, client: PromptOpsClient
) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    server.stop()
    server.start()
    assert client.get_prompt("greeting", refresh=True)["content"] == "one"


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (400, b'{"error":"bad env"}', ResponseError, "400: bad env"),
        (401, b'{"error":"unauthorized"}', UnauthorizedError, "401: unauthorized"),
        (403, b'{"error":"forbidden: requires"}', ForbiddenError, "403: forbidden: requires"),
        (404, b'{"error":"no prompt"}', NotFoundError, "404: no prompt"),
        (404, b"<html>", ProtocolError, "404 that is not from PromptOps"),
        (404, b'{"error":7}', ProtocolError, "404 that is not from PromptOps"),
        (500, b"[]", ServerError, "500"),
        (503, b'{"error":"the database is locked"}', ServerError, "503: the database is locked"),
        (404, b'{"error":"no","statusCode":404}', ProtocolError, "404 that is not from PromptOps"),
        (302, b"", ResponseError, "302"),
        (200, b"<html>", ProtocolError, "invalid JSON"),
        (200, b"[" * 100_000, ProtocolError, "invalid JSON"),
        (200, b"\xff", ProtocolError, "invalid JSON"),
        (200, b"[1]", ProtocolError, "'content'"),
        (200, b'{"content":null}', ProtocolError, "'content'"),
        (200, b'{"key":"other","content":"x"}', ProtocolError, "requested 'greeting'"),
        (
            200,
            b'{"content":"x","rollout":{"salt":"s","variants":[{"name":"a","weight":%b},'
            b'{"name":"b","weight":%b}]}}' % (b"9" * 4300, b"9" * 4300),
            ProtocolError,
            "a variant without",
        ),
    ],
)
def test_failures_are_typed(
    server: SdkServer,
    client: PromptOpsClient,
    status: int,
    body: bytes,
    error: type[PromptOpsError],
    message: str,
) -> None:
    server.bodies["greeting"] = (status, body)
    with pytest.raises(error, match=message) as caught:
        client.get_prompt("greeting")
    assert getattr(caught.value, "status", status) == status


@pytest.mark.parametrize("key", ["", ".", "..", "half \ud800"])
def test_invalid_keys(client: PromptOpsClient, key: str) -> None:
    for ask in (client.get_prompt, client.render, client.render_messages):
        with pytest.raises(ValueError, match="a prompt's key can't"):
            ask(key, default="d")  # type: ignore[operator]


@pytest.mark.parametrize(
    "option",
    [
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 1e10},
        {"max_age": -1.0},
        {"max_age": float("nan")},
        {"namespace": "\ud800"},
        {"workspace": "\ud800"},
        {"app_name": "\ud800"},
    ],
)
def test_invalid_options(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"can't have|must be"):
        PromptOpsClient(**option)


def test_a_variant_is_drawn_again_even_if_the_prompt_is_unchanged(
    server: SdkServer, client: PromptOpsClient
) -> None:
    variants = [{"name": name, "weight": 5000, "content": name} for name in ("A", "B")]
    server.put("greeting", "served")
    server.prompts["greeting"]["rollout"] = {"salt": "s", "variants": variants}
    variants = [client.get_prompt("greeting", refresh=True)["variant"] for _ in range(60)]
    assert set(variants) == {"A", "B"}
    assert len({client.render("greeting") for _ in range(20)}) == 1


def test_the_error_lists_all_missing_variables_of_a_chat(
    server: SdkServer, client: PromptOpsClient
) -> None:
    contents = ["{{a}} {{b}}", "{{c}} {{a}}", "{{given}}"]
    messages = [{"role": "user", "content": content} for content in contents]
    server.prompts["chat"] = {"key": "chat", "content": "", "messages": messages}
    with pytest.raises(MissingVariableError) as caught:
        client.render_messages("chat", {"given": 1}, strict=True)
    assert caught.value.names == ("a", "b", "c")
    assert client.render_messages("chat", {"a": 1, "b": 2, "c": 3, "given": 4}, strict=True)


def test_a_cached_prompt_is_rendered_even_if_no_thread_can_start(
    server: SdkServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = make_client(max_age=0.0)
    server.put("greeting", "one")
    client.get_prompt("greeting")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert client.render("greeting") == "one"
    server.put("greeting", "two")
    monkeypatch.setattr(client._refresher, "_no_thread_until", 0.0)
    eventually(lambda: client.render("greeting") == "two")


def test_a_refresh_waits_for_a_running_fetch_no_longer_than_its_time_out(
    server: SdkServer, make_client: MakeClient
) -> None:
    client = make_client(timeout=3)
    hold = server.holds["greeting"] = Hold()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.get_prompt, "greeting", default="d")
        hold.wait_for_request()
        began = time.monotonic()
        assert client.get_prompt("greeting", refresh=True, default="d")["source"] == "default"
        # Not its own time-out after the other's.
        assert time.monotonic() - began < 5.8
        assert first.result(DEADLINE)["source"] == "default"
    hold.release()


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é"])
def test_an_invalid_token(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        PromptOpsClient(token=token)


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        PromptOpsClient(f"http://127.0.0.1:{port}") as client,
        pytest.raises(ServerUnreachableError, match="Connection refused"),
    ):
        client.get_prompt("greeting")


def test_a_slow_response_times_out(server: SdkServer, make_client: MakeClient) -> None:
    # Enough for a normal response on a busy machine.
    client = make_client(timeout=3.0)
    server.put("greeting", "one")
    server.holds["greeting"] = Hold()
    with pytest.raises(RequestTimeoutError, match="did not respond in time"):
        client.get_prompt("greeting")
    server.holds.pop("greeting").release()
    assert client.get_prompt("greeting", refresh=True)["content"] == "one"


def test_a_dripping_response_times_out() -> None:
    disconnected = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not disconnected.wait(0.02):
            try:
                connection.sendall(b" ")
            except OSError:
                return

    with scripted(drip) as url, PromptOpsClient(url, timeout=0.3) as client:
        began = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            client.get_prompt("greeting")
        assert time.monotonic() - began < 30
        disconnected.set()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ServerUnreachableError),
        (b"SSH-2.0\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ServerUnreachableError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"a" * 70_000 + b"\r\n\r\n", ProtocolError),
    ],
)
def test_a_garbage_response(answer: bytes, error: type[PromptOpsError]) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with scripted(serve) as url, PromptOpsClient(url) as client, pytest.raises(error):
        client.get_prompt("greeting")


def test_a_response_that_ends_with_the_connection() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b'HTTP/1.0 200 OK\r\n\r\n{"content":"one"}')

    with scripted(serve) as url, PromptOpsClient(url) as client:
        assert client.render("greeting") == "one"


def test_threads_that_ask_for_one_key_share_a_request(
    server: SdkServer, client: PromptOpsClient
) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(client.get_prompt, "greeting")
        hold.wait_for_request()
        others = [threads.submit(client.get_prompt, "greeting") for _ in range(7)]
        hold.release()
        assert first.result(DEADLINE)["content"] == "one"
        assert {other.result(DEADLINE)["content"] for other in others} == {"one"}
    assert server.fetches("greeting") == 1


def test_a_refresh_does_not_use_an_earlier_fetch(
    server: SdkServer, client: PromptOpsClient
) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(client.get_prompt, "greeting")
        hold.wait_for_request()
        server.put("greeting", "two")
        refreshes = [threads.submit(client.get_prompt, "greeting", True) for _ in range(7)]
        hold.release()
        assert first.result(DEADLINE)["content"] == "one"
        assert {refresh.result(DEADLINE)["content"] for refresh in refreshes} == {"two"}
    assert 2 <= server.fetches("greeting") <= 8
    assert client.render("greeting") == "two"


def test_threads_share_a_failure(server: SdkServer, client: PromptOpsClient) -> None:
    hold = server.holds["missing"] = Hold()
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(client.get_prompt, "missing")
        hold.wait_for_request()
        second = threads.submit(client.get_prompt, "missing")
        hold.release()
        for call in (first, second):
            with pytest.raises(NotFoundError):
                call.result(DEADLINE)
    server.put("missing", "there now")
    assert client.render("missing") == "there now"


def test_many_threads_and_keys(server: SdkServer, client: PromptOpsClient) -> None:
    for number in range(20):
        server.put(f"key-{number}", f"content {number}")

    def read(turn: int) -> None:
        number = turn % 20
        refresh = turn % 3 == 0
        assert client.get_prompt(f"key-{number}", refresh)["content"] == f"content {number}"

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(read, range(400)))


def test_close_ends_a_fetch_that_waits(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    with ThreadPoolExecutor(1) as threads:
        fetch = threads.submit(client.get_prompt, "greeting")
        hold.wait_for_request()
        client.close()
        with pytest.raises(ClientClosedError):
            fetch.result(DEADLINE)


def test_close_ends_a_connect_that_waits() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The kernel's queue for this listener is full with this one: the next connect hangs.
        with socket.create_connection(listener.getsockname()):
            client = PromptOpsClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60)
            with ThreadPoolExecutor(1) as threads:
                fetch = threads.submit(client.get_prompt, "greeting")
                client.close()
                with pytest.raises(ClientClosedError):
                    fetch.result(DEADLINE)


def test_after_close_cached_prompts_can_be_read(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    with client:
        client.get_prompt("greeting")
    client.close()
    assert client.render("greeting") == "one"
    for fetch in (
        lambda: client.get_prompt("greeting", refresh=True),
        lambda: client.get_prompt("other"),
        client.watch,
    ):
        with pytest.raises(ClientClosedError, match="closed"):
            fetch()
