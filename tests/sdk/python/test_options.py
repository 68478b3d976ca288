"""Invalid options and arguments cause clear errors, without their secrets."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from harness.sdk_server import SdkServer
from promptops import AsyncPromptOpsClient, Prompt, PromptOpsClient, ResponseError, render_template
from promptops.masking import masked_url

MakeClient = Callable[..., PromptOpsClient]


@pytest.mark.parametrize("kind", [PromptOpsClient, AsyncPromptOpsClient])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"server": None}, "server must be a text, not None; leave it out for the default"),
        ({"namespace": None}, "namespace must be a text, not None"),
        ({"token": None}, "token must be a text, not None"),
        ({"token": b"secret"}, "token must be a text, not bytes"),
        ({"app_name": 5}, "app_name must be a text, not int"),
        ({"workspace": None}, "workspace must be a text, not None"),
        ({"timeout": None}, "timeout must be a number of seconds, not None"),
        ({"timeout": "10"}, "timeout must be a number of seconds, not str"),
        ({"max_age": None}, "max_age must be a number of seconds, not None"),
        ({"max_age": True}, "max_age must be a number of seconds, not bool"),
        ({"cache_dir": 7}, "cache_dir must be a path, not int"),
        ({"bundle": b"x"}, "bundle must be a path, not bytes"),
    ],
)
def test_options_of_a_wrong_type(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        kind(**options)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_empty_folder_is_not_the_working_directory() -> None:
    with pytest.raises(ValueError, match="cache_dir is empty"):
        PromptOpsClient(cache_dir="")


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@host:8080",
        "http://user:sec/secret@host",
        "user:secret@host:8080",
        "http://user:secret?x@host",
        "http://user:secret#x@host",
        "http://host:8080/?token=secret",
        "ftp://user:secret@host",
        "http://user:secret@[::1",
        "http://user:secret@host:99999",
    ],
)
def test_a_password_in_an_address_is_masked(url: str) -> None:
    with pytest.raises(ValueError, match="address must look like") as caught:
        PromptOpsClient(url)
    error: BaseException | None = caught.value
    assert "secret" not in str(error)
    assert caught.value.__cause__ is None
    assert "host" in masked_url(url) or "[::1" in masked_url(url)


def test_the_error_names_the_redirect(server: SdkServer, client: PromptOpsClient) -> None:
    server.redirects["greeting"] = "https://me:secret@prompts.example.com/api?key=secret"
    with pytest.raises(ResponseError) as caught:
        client.get_prompt("greeting")
    assert "redirects to 'https://***@prompts.example.com/api'; use that address" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subject": 5}, "the subject must be a text or None, not int"),
        ({"subject": b"x"}, "the subject must be a text or None, not bytes"),
        ({"default": 5}, "the default must be a text or None, not int"),
    ],
)
async def test_arguments_of_a_wrong_type(
    server: SdkServer, client: PromptOpsClient, arguments: dict[str, Any], message: str
) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    for call in (client.get_prompt, client.render, client.render_messages):
        with pytest.raises(TypeError, match=message):
            call("greeting", **arguments)
    async with AsyncPromptOpsClient(server.url) as other:
        with pytest.raises(TypeError, match=message):
            await other.render("greeting", **arguments)


@pytest.mark.parametrize("key", [None, 5, b"greeting"])
def test_a_key_that_is_not_a_text(client: PromptOpsClient, key: Any) -> None:
    with pytest.raises(TypeError, match="key must be a text"):
        client.get_prompt(key)


def test_no_text_is_the_empty_text() -> None:
    assert render_template(None) == ""
    assert render_template(None, {"a": 1}, strict=True) == ""
    assert PromptOpsClient.render_template(None) == ""
    assert AsyncPromptOpsClient.render_template(None, {}) == ""


def test_the_prompt_is_a_typed_dict(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    prompt = client.get_prompt("greeting")
    assert type(prompt) is dict
    assert set(prompt) == set(get_type_hints(Prompt)) - {"variant"}
    assert Prompt.__required_keys__ == set(prompt)
    assert Prompt.__optional_keys__ == {"variant"}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX'")
def test_the_cache_folder_is_its_owners_alone(
    server: SdkServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.put("greeting", "one")
    folder = tmp_path / "new" / "cache"
    before = os.umask(0)
    try:
        make_client(cache_dir=folder).get_prompt("greeting")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
