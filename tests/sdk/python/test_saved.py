"""The files: their names and content, which the SDKs of all languages share, and what fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sdk_server import SdkServer
from promptops import PromptOpsClient

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
    found = make_client(cache_dir=tmp_path).get_prompt("k")
    assert (found["content"], found["source"], found["revision"]) == ("é", "disk", 7)
    assert found["age"] > 5 * 365 * 24 * 3600


def test_a_folder_that_can_not_be_written_is_no_reason_to_fail(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    server.put("greeting", "one")
    client = make_client(cache_dir=tmp_path / "file")
    assert client.render("greeting") == "one"
    client.get_prompt("greeting", refresh=True)
    assert "can't be written" in caplog.text


def test_a_bundle_that_is_not_there(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.put("greeting", "one")
    assert make_client(bundle=tmp_path / "bundle.json").render("greeting") == "one"
    assert "bundle.json can't be used" in caplog.text
