"""Names of every kind: composed, trimmed, not blank, and without what nobody sees."""

import unicodedata
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from harness.callers import PASSWORD, login
from harness.followers import following
from harness.people import new_api_key, new_workspace, sent
from harness.platform import RunningPlatform, new_key, next_event
from promptops_platform.field_types import composed

STEP = {"type": "render", "template": "x"}
TOOL: dict[str, Any] = {"method": "GET", "url": "https://example.org"}
MOCK = {"kind": "mock"}
# Path, and the body around a name.
IDENTIFIERS: dict[str, tuple[str, Any]] = {
    "prompt key": ("/api/prompts", lambda name: {"key": name}),
    "prompt env": ("/api/prompts", lambda name: {"key": new_key(), "env": name}),
    "prompt version": ("/api/prompts", lambda name: {"key": new_key(), "version": name}),
    "workflow key": ("/api/workflows", lambda name: {"key": name, "steps": [STEP]}),
    "agent key": ("/api/agents", lambda name: {"key": name, "prompt": "x"}),
    "agent prompt_ref": (
        "/api/agents",
        lambda name: {"key": new_key(), "prompt_ref": {"key": "k", "env": name}},
    ),
    "connection name": ("/api/providers", lambda name: {"name": name, **MOCK}),
    "workspace slug": ("/api/workspaces", lambda name: {"name": new_key(), "slug": name}),
    "key environment": ("/api/keys", lambda name: {"name": "k", "environments": [name]}),
}
TITLES: dict[str, tuple[str, Any]] = {
    "prompt name": ("/api/prompts", lambda name: {"key": new_key(), "name": name}),
    "prompt category": ("/api/prompts", lambda name: {"key": new_key(), "category": name}),
    "prompt tags": ("/api/prompts", lambda name: {"key": new_key(), "tags": name}),
    "prompt model": ("/api/prompts", lambda name: {"key": new_key(), "model": name}),
    "workflow name": (
        "/api/workflows",
        lambda name: {"key": new_key(), "name": name, "steps": [STEP]},
    ),
    "step name": (
        "/api/workflows",
        lambda name: {"key": new_key(), "steps": [STEP, {**STEP, "name": name}]},
    ),
    "agent name": ("/api/agents", lambda name: {"key": new_key(), "name": name, "prompt": "x"}),
    "agent model": ("/api/agents", lambda name: {"key": new_key(), "model": name, "prompt": "x"}),
    "connection model": (
        "/api/providers",
        lambda name: {"name": new_key(), "model": name, **MOCK},
    ),
    "workspace name": ("/api/workspaces", lambda name: {"name": name}),
    "user name": ("/api/users", lambda name: {"username": name, "password": PASSWORD}),
    "API key name": ("/api/keys", lambda name: {"name": name}),
}
REQUIRED = ("workspace name", "user name", "API key name")
UNSEEN = {
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "right-to-left override": "\u202e",
    "first strong isolate": "\u2068",
    "byte order mark": "\ufeff",
    "soft hyphen": "\xad",
    "word joiner": "\u2060",
    "tag": "\U000e0041",
    "hangul filler": "\u3164",
    "line separator": "\u2028",
}


async def post(platform: RunningPlatform, kind: str, name: str) -> httpx.Response:
    path, body_with = {**IDENTIFIERS, **TITLES}[kind]
    return await platform.http.post(path, json=body_with(name))


@pytest.mark.parametrize("kind", [*IDENTIFIERS, *TITLES])
async def test_what_nobody_sees_is_refused(platform: RunningPlatform, kind: str) -> None:
    before = (await platform.http.get("/api/audit?limit=1")).json()["total"]
    for sign in UNSEEN.values():
        answer = await post(platform, kind, f"a{sign}b")
        assert answer.status_code == 400, (kind, hex(ord(sign)))
        assert f"U+{ord(sign):04X}" in answer.json()["error"]
        assert sign not in answer.text, "the sentence must not carry it on"
    assert (await platform.http.get("/api/audit?limit=1")).json()["total"] == before


@pytest.mark.parametrize("kind", IDENTIFIERS)
async def test_an_emoji_form_is_refused_where_names_identify(
    platform: RunningPlatform, kind: str
) -> None:
    assert (await post(platform, kind, "\u2764\ufe0f")).status_code == 400


async def test_an_emoji_may_stand_in_a_title(platform: RunningPlatform) -> None:
    made = sent(await post(platform, "prompt name", "\u2764\ufe0f Love letters"))
    assert made["name"] == "\u2764\ufe0f Love letters"


@pytest.mark.parametrize("kind", [*IDENTIFIERS, *TITLES])
async def test_names_are_trimmed_and_composed(platform: RunningPlatform, kind: str) -> None:
    name = f"größe-{new_key()}"
    made = await post(platform, kind, f" \u3000{unicodedata.normalize('NFD', name)}\xa0 ")
    assert made.status_code == 200, made.text
    assert f'"{name}"' in made.text


@pytest.mark.parametrize("kind", REQUIRED)
@pytest.mark.parametrize("blank", ["", "   ", "\xa0\u3000", "\t"])
async def test_a_required_name_is_not_blank(
    platform: RunningPlatform, kind: str, blank: str
) -> None:
    answer = await post(platform, kind, blank)
    assert answer.status_code == 400
    assert "name" in answer.json()["error"]


async def test_errors_quote_what_was_sent_readably(platform: RunningPlatform) -> None:
    answer = await platform.http.post("/api/prompts", json={"key": "größe 日本"})
    assert "'größe 日本'" in answer.json()["error"]
    missing = await platform.http.get("/api/sdk/prompts/größe")
    assert "'größe'" in missing.json()["error"]
    assert "größe" in (await platform.http.get("/api/prompts?workspace=größe")).json()["error"]
    unseen = await platform.http.get("/api/sdk/prompts/" + quote("a\u202eb"))
    assert "\\u202e" in unseen.json()["error"]


@pytest.fixture
def both_forms() -> tuple[str, str]:
    """A name composed and decomposed."""
    name = f"größe-한국-{new_key()}"
    return name, unicodedata.normalize("NFD", name)


async def test_both_forms_of_a_name_find_it(
    platform: RunningPlatform, both_forms: tuple[str, str]
) -> None:
    name, decomposed = both_forms
    body = {"key": decomposed, "env": decomposed, "category": decomposed, "tags": decomposed}
    made = sent(await platform.http.post("/api/prompts", json={**body, "content": decomposed}))
    assert (made["key"], made["env"], made["content"]) == (name, name, decomposed)
    assert (await platform.http.post("/api/prompts", json=body)).status_code == 409
    for form in both_forms:
        fetched = await platform.http.get(f"/api/sdk/prompts/{quote(form)}", params={"env": form})
        assert fetched.json()["key"] == name
        for query in ("q", "env", "category", "tag"):
            prompts = sent(await platform.http.get("/api/prompts", params={query: form}))
            assert [prompt["id"] for prompt in prompts] == [made["id"]], query
        whole = await platform.http.get("/api/sdk/snapshot", params={"env": form})
        assert [prompt["key"] for prompt in whole.json()["prompts"]] == [name]


async def test_both_forms_name_a_workspace_a_user_and_an_environment_of_a_key(
    platform: RunningPlatform, both_forms: tuple[str, str]
) -> None:
    name, decomposed = both_forms
    workspace = sent(
        await platform.http.post("/api/workspaces", json={"name": name, "slug": decomposed})
    )
    account = {"username": f" {decomposed} ", "password": PASSWORD}
    user = sent(await platform.http.post("/api/users", json=account))
    assert user["username"] == name
    token = await new_api_key(platform, environments=[decomposed])
    await platform.create("k", env=name, workspace=workspace["id"])
    for form in both_forms:
        body = sent(await platform.http.get(f"/api/workspaces/{quote(form)}"))
        assert body["id"] == workspace["id"]
        url = f"/api/workspaces/{quote(form)}/members/{quote(form)}"
        assert sent(await platform.http.put(url, json={"role": "viewer"}))["id"] == user["id"]
        answer = await login(platform, username=form, password=PASSWORD)
        assert answer.json()["username"] == name
        async with platform.client(token) as client:
            query = {"env": form, "workspace": form}
            assert (await client.get("/api/sdk/prompts/k", params=query)).status_code == 200
    padded = await login(platform, username=f"  {name} ", password=PASSWORD)
    assert padded.status_code == 200


async def test_both_forms_of_a_namespace_watch_it(
    platform: RunningPlatform, both_forms: tuple[str, str]
) -> None:
    name, decomposed = both_forms
    async with (
        platform.watch(namespace=decomposed) as old,
        following(platform, namespace=decomposed) as follower,
    ):
        made = await platform.create(env=name)
        assert (await next_event(old))["id"] == made["id"]
        assert (await follower.next())["id"] == made["id"]


async def test_a_search_may_hold_a_line_break(platform: RunningPlatform) -> None:
    word = new_key()
    made = await platform.create(content=f"first {word}\nsecond line")
    prompts = sent(await platform.http.get("/api/prompts", params={"q": f"{word}\nsecond"}))
    assert [prompt["id"] for prompt in prompts] == [made["id"]]
    for path in ("/api/agents", "/api/workflows", "/api/providers", "/api/keys"):
        assert (await platform.http.get(path, params={"q": "a\nb"})).status_code == 200, path


async def test_a_version_is_not_called_draft(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    for label in ("draft", "Draft", "\N{FULLWIDTH LATIN SMALL LETTER D}raft"):
        for refused in (
            await platform.http.post("/api/prompts", json={"key": new_key(), "version": label}),
            await platform.http.put(f"/api/prompts/{prompt['id']}", json={"version": label}),
        ):
            assert refused.status_code == 400
            assert label in refused.json()["error"]
    assert sent(await platform.http.get(f"/api/prompts/{prompt['id']}"))["version"] == "v1"


async def test_a_subject_keeps_its_bytes(platform: RunningPlatform) -> None:
    """Its variant follows from them, in every SDK alike."""
    workspace = await new_workspace(platform)
    prompt = await platform.create(env="prod", workspace=workspace)
    subject = "u\u0308ser\u200b"
    query = {"workspace": workspace, "subject": subject}
    assert (await platform.fetch(prompt["key"], **query)).status_code == 200
    body = {"key": new_key(), "prompt": "x", "provider": "mock", "workspace": workspace}
    agent = sent(await platform.http.post("/api/agents", json=body))
    answer = await platform.http.post(f"/api/agents/{agent['id']}/run", json={"subject": subject})
    assert answer.status_code != 400


def test_composing_keeps_long_texts_whole() -> None:
    text = "größe 한국 ệ 日本 👩🏽 " * 1000
    assert composed(unicodedata.normalize("NFD", text)) == text
    assert composed(text) == text
