"""Setting rollouts: the A/B form of existing clients, and variants."""

from typing import Any

import pytest
from sqlalchemy import select, update

from harness.platform import TOKEN, RunningPlatform, new_key
from harness.rollouts import halves, published, put, spread, variants
from promptops_platform.prompts.tables import ServedMoveRow
from promptops_platform.rollouts.tables import RolloutRow
from promptops_platform.workspaces.tables import EnvironmentRow


def url(prompt: dict[str, Any]) -> str:
    return f"/api/prompts/{prompt['id']}/rollout"


async def audited(platform: RunningPlatform, prompt: dict[str, Any]) -> list[dict[str, Any]]:
    entries = (await platform.http.get("/api/audit?limit=50")).json()["data"]
    return [entry for entry in entries if entry["key"] == prompt["key"]]


async def moves(platform: RunningPlatform, prompt: dict[str, Any]) -> list[tuple[str, Any]]:
    """The rollout's moves in the history, oldest first: action and the shares from then on."""
    query = select(ServedMoveRow).where(ServedMoveRow.prompt_id == prompt["id"])
    async with platform.platform.database.read() as transaction:
        rows = await transaction.session.scalars(query.order_by(ServedMoveRow.id))
        return [
            (row.version or "", row.variants and [variant["weight"] for variant in row.variants])
            for row in rows
            if row.action == "rollout"
        ]


async def test_the_ab_form(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    assert (await platform.http.get(url(prompt))).json() == {"data": None}
    form = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 30}
    answer = await platform.http.put(url(prompt), json=form)
    made = answer.json()["data"]
    assert answer.text.startswith('{"data":{"id":"')
    names = "id key env enabled variant_a variant_b weight_a created_at updated_at"
    assert list(made)[:9] == names.split()
    assert form.items() <= made.items()
    assert (made["key"], made["env"]) == (prompt["key"], "prod")
    assert made["variants"] == [
        {"name": "A", "version": "v1", "weight": 3000},
        {"name": "B", "version": "v2", "weight": 7000},
    ]
    assert made["prompt_id"] == prompt["id"]
    assert (await platform.http.get(url(prompt))).json() == {"data": made}
    assert (await platform.http.delete(url(prompt))).json() == {"ok": True}
    assert (await platform.http.get(url(prompt))).json() == {"data": None}
    assert (await platform.http.delete(url(prompt))).json() == {"ok": True}


@pytest.mark.parametrize(("sent", "kept"), [(-5, 0), (0, 0), (100, 100), (250, 100), (10**30, 100)])
async def test_weight_a_is_cut_to_percents(platform: RunningPlatform, sent: int, kept: int) -> None:
    prompt = await published(platform, "a", "b")
    made = await spread(platform, prompt, **halves() | {"weight_a": sent})
    assert made["weight_a"] == kept
    assert [variant["weight"] for variant in made["variants"]] == [kept * 100, 10_000 - kept * 100]


async def test_what_is_not_given_stays(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b", "c")
    first = await spread(platform, prompt, **halves())
    for change in ({"weight_a": 20}, {"variant_b": "v3"}, {"enabled": False}, {"weight_a": None}):
        after = (await put(platform, prompt, **change)).json()["data"]
        sent_fields = {name: value for name, value in change.items() if value is not None}
        assert sent_fields.items() <= after.items()
        first |= sent_fields
        kept = {name: after[name] for name in ("variant_a", "variant_b", "weight_a", "enabled")}
        assert kept.items() <= first.items()
        assert (after["id"], after["salt"]) == (first["id"], first["salt"])
    empty = (await put(platform, await published(platform, "a"))).json()["data"]
    assert (empty["enabled"], empty["weight_a"], empty["variant_a"]) == (False, 50, "")


async def test_variants_and_their_form(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b", "c")
    expected = variants(1250, 8000, 750)
    made = await spread(platform, prompt, variants=expected)
    assert made["variants"] == expected
    assert (made["variant_a"], made["variant_b"], made["weight_a"]) == ("v1", "v2", 13)
    form = {name: made[name] for name in ("enabled", "variant_a", "variant_b", "weight_a")}
    again = await spread(platform, prompt, **form)
    assert again["variants"] == expected, "an unchanged form changes nothing, rounded as it is"
    assert (await put(platform, prompt, **made)).json()["data"]["variants"] == expected
    refused = await put(platform, prompt, weight_a=20)
    assert refused.status_code == 400
    assert "3 variants" in refused.json()["error"]


async def test_the_form_keeps_the_names_of_two_variants(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    await spread(platform, prompt, variants=variants(1250, 8750))
    renamed = await spread(platform, prompt, variant_b="v1")
    assert renamed["variants"] == [
        {"name": "one", "version": "v1", "weight": 1250},
        {"name": "two", "version": "v1", "weight": 8750},
    ]
    weighed = await spread(platform, prompt, weight_a=14)
    assert [variant["weight"] for variant in weighed["variants"]] == [1400, 8600]


async def test_the_salt_is_made_once_and_may_be_given(platform: RunningPlatform) -> None:
    prompt, other = await published(platform, "a", "b"), await published(platform, "a", "b")
    made = await spread(platform, prompt, **halves())
    assert made["salt"]
    assert (await spread(platform, prompt, weight_a=1, salt=""))["salt"] == made["salt"]
    assert (await spread(platform, other, **halves()))["salt"] != made["salt"]
    chosen = await spread(platform, other, salt="my experiment")
    assert chosen["salt"] == "my experiment"
    assert (await spread(platform, other, weight_a=2))["salt"] == "my experiment"


def with_variant(**changes: Any) -> list[dict[str, Any]]:
    first, second = variants(4000, 6000)
    return [first | changes, second]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"enabled": True}, "variant 'A': '' is not a version of"),
        ({"enabled": True, **halves("v1", "v9")}, "variant 'B': 'v9' is not a version of"),
        ({"enabled": True, **halves("v1", "draft"), "weight_a": 100}, "'draft' is not a version"),
        ({"variants": variants(4000, 5999)}, "variants: the weights add up to 9999"),
        ({"variants": variants(4000, 6001)}, "variants: the weights add up to 10001"),
        ({"variants": variants(10_000)}, "variants: list should have at least 2"),
        ({"variants": with_variant(name="two")}, "variants: names two variants 'two'"),
        ({"variants": with_variant(name="")}, "variants.0.name"),
        ({"variants": with_variant(name="a b")}, "variants.0.name: contains ' '"),
        ({"variants": with_variant(weight=-1)}, "variants.0.weight"),
        ({"variants": with_variant(weight=10_001)}, "variants.0.weight"),
        ({"variants": with_variant(weight=0.5)}, "variants.0.weight"),
        ({"variants": with_variant(version=None)}, "variants.0.version"),
        ({"variants": [{"name": "a"}, {}]}, "variants.0.version: is required"),
        ({"variants": {"A": 1}}, "variants: input should be a valid list"),
        (
            {"variants": [{"name": f"n{n}", "version": "v1", "weight": 0} for n in range(21)]},
            "variants: list should have at most 20",
        ),
        ({"variants": variants(4000, 6000), "weight_a": 50}, "contradict each other"),
        ({"weight_a": "half"}, "weight_a"),
        ({"weight_a": 1.5}, "weight_a"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"salt": "a\nb"}, "salt: contains the control character U+000A"),
        ({"salt": "s" * 201}, "salt"),
        ({"variant_a": "v" * 65}, "variant_a"),
    ],
)
async def test_what_is_refused(platform: RunningPlatform, body: Any, message: str) -> None:
    prompt = await published(platform, "a", "b")
    answer = await platform.http.put(url(prompt), json=body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]
    assert (await platform.http.get(url(prompt))).json() == {"data": None}


async def test_one_that_is_off_may_name_anything(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="never published")
    saved = await put(platform, prompt, **halves("later", ""))
    assert saved.json()["data"]["variant_a"] == "later"
    refused = await put(platform, prompt, enabled=True)
    assert (refused.status_code, "'later'" in refused.json()["error"]) == (400, True)
    assert (await platform.http.get(url(prompt))).json()["data"]["enabled"] is False


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_prompt_is_a_404(platform: RunningPlatform, method: str) -> None:
    answer = await platform.http.request(method, "/api/prompts/nothing/rollout", json={})
    assert answer.status_code == 404
    assert "'nothing'" in answer.json()["error"]


async def test_each_change_is_audited_and_each_move_in_the_history(
    platform: RunningPlatform,
) -> None:
    prompt = await published(platform, "a", "b")
    await put(platform, prompt, **halves())
    await spread(platform, prompt)
    await spread(platform, prompt, weight_a=5)
    await spread(platform, prompt)
    await put(platform, prompt, enabled=False)
    await platform.http.delete(url(prompt))
    entries = [entry for entry in await audited(platform, prompt) if entry["action"] == "rollout"]
    assert [entry["summary"] for entry in reversed(entries)] == [
        "saved the rollout A v1 50 %, B v2 50 % in prod",
        "started the rollout A v1 50 %, B v2 50 % in prod",
        "changed the rollout A v1 5 %, B v2 95 % in prod",
        "saved the rollout unchanged in prod",
        "ended the rollout in prod",
        "removed the rollout in prod",
    ]
    assert await moves(platform, prompt) == [
        ("v2", [5000, 5000]),
        ("v2", [500, 9500]),
        ("v2", None),
    ]


async def test_a_rollback_ends_a_running_rollout_and_says_so(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    back = {"id": prompt["id"], "version": "v1"}
    answer = await platform.http.post("/api/prompts/rollback", json=back)
    assert answer.json()["data"]["rollout_ended"] is False
    await spread(platform, prompt, **halves())
    answer = await platform.http.post("/api/prompts/rollback", json=back)
    assert answer.json()["data"]["rollout_ended"] is True
    assert answer.json()["data"]["published_version"] == "v1"
    kept = (await platform.http.get(url(prompt))).json()["data"]
    assert (kept["enabled"], kept["variant_b"]) == (False, "v2")
    fetched = {(await platform.fetch(prompt["key"])).text for _ in range(20)}
    assert len(fetched) == 1
    assert "variant" not in fetched.pop()
    actions = [(entry["action"], entry["summary"]) for entry in await audited(platform, prompt)]
    assert ("rollout", "ended the rollout in prod") in actions[:2]
    answer = await platform.http.post("/api/prompts/rollback", json=back)
    assert answer.json()["data"]["rollout_ended"] is False


async def test_it_goes_with_its_prompt(platform: RunningPlatform) -> None:
    prompt = await published(platform, "a", "b")
    await spread(platform, prompt, **halves())
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    async with platform.platform.database.read() as transaction:
        query = select(RolloutRow).where(RolloutRow.prompt_id == prompt["id"])
        assert (await transaction.session.scalars(query)).all() == []
    assert (await platform.fetch(prompt["key"])).status_code == 404
    assert (await platform.http.get(url(prompt))).status_code == 404


async def test_who_may_read_and_who_may_change_it(platform: RunningPlatform) -> None:
    workspace = (await platform.http.post("/api/workspaces", json={"name": new_key()})).json()
    prompt = await platform.create(env="prod", workspace=workspace["data"]["id"])
    await platform.publish(prompt["id"])
    tokens = {"admin": TOKEN}
    for role in ("viewer", "editor"):
        login = {"username": new_key(), "password": "long enough", "role": role}
        assert (await platform.http.post("/api/users", json=login)).status_code == 200
        tokens[role] = (await platform.http.post("/api/login", json=login)).json()["token"]

    async def statuses(role: str) -> list[int]:
        async with platform.client(tokens[role]) as client:
            return [
                (await client.request(method, url(prompt), json={})).status_code
                for method in ("GET", "PUT", "DELETE")
            ]

    assert await statuses("viewer") == [200, 403, 403]
    assert await statuses("editor") == [200, 200, 200]
    async with platform.platform.database.write() as transaction:
        await transaction.session.execute(
            update(EnvironmentRow)
            .where(EnvironmentRow.workspace_id == workspace["data"]["id"])
            .values(protected=True)
        )
    assert await statuses("editor") == [200, 403, 403]
    assert await statuses("admin") == [200, 200, 200]
