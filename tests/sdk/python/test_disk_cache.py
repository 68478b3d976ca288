"""The files of the disk cache: names and content, which the SDKs of all languages share, and
failures."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import eventually
from harness.sdk_server import Hold, SdkServer
from promptops import AsyncPromptOpsClient, PromptOpsClient, ProtocolError, ServerError
from promptops.disk_cache import DiskCache
from promptops.prompt_store import CachedPrompt, FeedPosition, PromptStore
from promptops.prompts import parse_prompt
from promptops.results import PromptResults

MakeClient = Callable[..., PromptOpsClient]


def test_the_file(server: SdkServer, make_client: MakeClient, tmp_path: Path) -> None:
    server.put("grüße", "Hello é \ud83d")
    make_client(cache_dir=tmp_path / "new" / "folder", workspace="team").get_prompt("grüße")
    name = "\n".join([server.url, "team", "prod", "grüße"])
    (path,) = (tmp_path / "new" / "folder").iterdir()
    assert path.name == f"{hashlib.sha256(name.encode()).hexdigest()}.json"
    text = path.read_text("utf-8")
    prompt = text[text.index('"prompt":') + 9 : -1].strip()
    assert text.endswith("}}")
    assert json.loads(text)["sha256"] == hashlib.sha256(prompt.encode()).hexdigest()
    assert json.loads(prompt) == server.prompts["grüße"]
    assert list(json.loads(text)) == ["sha256", "saved_at", "epoch", "revision", "prompt"]


def test_a_file_of_another_sdk(server: SdkServer, make_client: MakeClient, tmp_path: Path) -> None:
    prompt = '{ "content" : "é", "key":"k", "config": {"prompt": {}} }'
    saved = {
        "sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "saved_at": "2020-01-01T00:00:00.123456789Z",
        "epoch": "e",
        "revision": 7,
    }
    name = "\n".join([server.url, "", "prod", "k"])
    path = tmp_path / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
    text = json.dumps(saved, indent=1)[:-2] + f',\n "prompt" : {prompt}\n}}\n'
    path.write_text(text, "utf-8")
    server.bodies["k"] = (500, b"")
    prompt = make_client(cache_dir=tmp_path).get_prompt("k")
    assert (prompt["content"], prompt["source"], prompt["revision"]) == ("é", "disk", 7)
    assert prompt["age"] > 5 * 365 * 24 * 3600


def test_an_unwritable_folder_causes_no_failure(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    server.put("greeting", "one")
    client = make_client(cache_dir=tmp_path / "file")
    assert client.render("greeting") == "one"
    client.get_prompt("greeting", refresh=True)
    assert "can't be written" in caplog.text


@pytest.mark.parametrize("content", ['[{"prompt": {}}]', '{"prompt": {}}', "{}", '"prompt": {}}'])
def test_an_invalid_file(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, content: str
) -> None:
    server.put("greeting", "one")
    make_client(cache_dir=tmp_path).get_prompt("greeting")
    (path,) = tmp_path.iterdir()
    path.write_text(content)
    server.bodies["greeting"] = (500, b"")
    assert make_client(cache_dir=tmp_path).render("greeting", default="d") == "d"


def cached_prompt(content: str, revision: int, epoch: str) -> CachedPrompt:
    full_prompt = parse_prompt({"key": "k", "content": content})
    return CachedPrompt(
        full_prompt, full_prompt.served, "server", FeedPosition(revision, epoch), 0.0
    )


def test_a_newer_copy_of_another_process_stays(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, "http://h", "", "prod")
    for content, revision, epoch, expected in [
        ("new", 20, "e", "new"),
        ("old", 10, "e", "new"),
        ("newer", 21, "e", "newer"),
        ("restored", 1, "f", "restored"),
    ]:
        disk.write("k", cached_prompt(content, revision, epoch))
        saved = disk.read("k")
        assert saved is not None
        assert saved.full_prompt.data["content"] == expected


def test_the_copy_of_another_prompt_is_ignored(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, "http://h", "", "prod")
    disk.write("other", cached_prompt("of k", 1, "e"))
    assert disk.read("other") is None


def test_numbers_without_json_syntax(
    server: SdkServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.bodies["k"] = (200, b'{"key":"k","content":"x","config":{"t":[1e999,-1e999,1.5]}}')
    make_client(cache_dir=tmp_path).get_prompt("k")
    (path,) = tmp_path.iterdir()
    saved = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert saved["prompt"]["config"] == {"t": [None, None, 1.5]}
    server.bodies["k"] = (200, b'{"key":"k","content":"x","config":{"t":NaN}}')
    with pytest.raises(ProtocolError, match="NaN"):
        make_client().get_prompt("k")


def bundle_of(folder: Path, *prompts: dict[str, object], env: str = "prod") -> Path:
    path = folder / "bundle.json"
    path.write_text(json.dumps({"epoch": "e", "revision": 3, "env": env, "prompts": prompts}))
    return path


def test_an_invalid_prompt_in_the_bundle_does_not_affect_the_others(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"key": "good", "content": "one"}
    bundle = bundle_of(tmp_path, {"key": "bad"}, {"content": "without a key"}, good)
    server.bodies["good"] = (503, b"")
    assert make_client(bundle=bundle).render("good") == "one"
    assert caplog.text.count("is skipped") == 2


def test_the_bundle_of_another_environment_is_not_used(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = bundle_of(tmp_path, {"key": "k", "content": "of dev"}, env="dev")
    server.bodies["k"] = (503, b"")
    assert make_client(bundle=bundle).render("k", default="d") == "d"
    assert "is of the environment 'dev', not 'prod'" in caplog.text


def test_a_copy_is_returned_immediately_after_a_failure(
    server: SdkServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.put("greeting", "one")
    make_client(cache_dir=tmp_path).get_prompt("greeting")
    client = make_client(cache_dir=tmp_path)
    server.bodies["greeting"] = (503, b"")
    assert client.get_prompt("greeting")["source"] == "disk"
    # The pause is over, and the server is slow.
    client._store.end_pauses()
    del server.bodies["greeting"]
    server.put("greeting", "two")
    hold = server.holds["greeting"] = Hold()
    assert client.get_prompt("greeting")["source"] == "disk"
    hold.wait_for_request()
    assert client.render("greeting") == "one"
    hold.release()
    eventually(lambda: client.render("greeting") == "two")


async def test_a_copy_is_returned_immediately_after_a_failure_for_asyncio(
    server: SdkServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.put("greeting", "one")
    await asyncio.to_thread(make_client(cache_dir=tmp_path).get_prompt, "greeting")
    async with AsyncPromptOpsClient(server.url, cache_dir=tmp_path) as client:
        server.bodies["greeting"] = (503, b"")
        assert (await client.get_prompt("greeting"))["source"] == "disk"
        client._store.end_pauses()
        del server.bodies["greeting"]
        hold = server.holds["greeting"] = Hold()
        assert (await client.get_prompt("greeting"))["source"] == "disk"
        await asyncio.to_thread(hold.wait_for_request)
        hold.release()
        assert (await client.get_prompt("greeting", refresh=True))["source"] == "server"


def test_a_hello_between_a_failure_and_its_result_keeps_the_fallback() -> None:
    store = PromptStore(60.0)
    failure = store.record_failure("k", ServerError(503, "x"), cached_prompt("saved", 1, "e"))
    store.end_pauses()
    assert store.active_failure("k") is None
    result = PromptResults(store, "prod", lambda _: None).result_of("k", None, None, failure)
    assert result.prompt()["content"] == "saved"


def test_a_missing_bundle(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.put("greeting", "one")
    assert make_client(bundle=tmp_path / "bundle.json").render("greeting") == "one"
    assert "bundle.json can't be used" in caplog.text
