"""A workspace with callers and objects of every kind."""

from collections.abc import Awaitable, Callable
from typing import Any

from harness.approvals import new_approval, new_link
from harness.callers import Account, new_account, new_api_key
from harness.people import join, new_workspace, sent
from harness.platform import RunningPlatform, new_key
from harness.triggers import failed_delivery
from promptops_platform.ids import new_id
from promptops_platform.runlog.new_run import NewRun

Maker = Callable[["Place"], Awaitable[str]]

STEPS = [{"name": "greet", "type": "render", "template": "Hello"}]
FAILING = [{"name": "ask", "type": "model", "provider": "mock", "model": "mock-fail-refused"}]
# Part of the names of everything in a restricted workspace, so that leaks are detected.
CLASSIFIED = "classified"
CONVERSATION = "chat-1"
VERSION = "1"
# It waits for an event that never happens.
TRIGGER = {
    "on": {"event": "run.failed", "workflow": "never"},
    "deliver": {"url": "http://127.0.0.1:9/hook"},
}
MEMBERS = ("viewer", "editor", "admin")


class Place:
    """A workspace, and the token of each caller by the caller's name; None for an anonymous one.

    In an open workspace `viewer`, `editor` and `admin` have these roles everywhere, in a restricted
    one they are its members, and viewers elsewhere. `outsider` is an editor everywhere and admin of
    another restricted workspace. `sdk` is an API key, limited to the workspace if it is restricted.
    """

    def __init__(self, platform: RunningPlatform, visibility: str) -> None:
        self.platform = platform
        self.visibility = visibility
        self.workspace = ""
        self.tokens: dict[str, str | None] = {"nobody": None}
        self._accounts: dict[str, Account] = {}
        self._shared: dict[Maker, str] = {}
        self.newest_trigger = ""

    @property
    def is_open(self) -> bool:
        return self.visibility == "open"

    async def fill(self) -> None:
        """Create the workspace and the callers."""
        for name in MEMBERS:
            await self._take(name, await self.account(name))
        outsider = await new_account(self.platform, "editor")
        await new_workspace(self.platform, "restricted", admin={"id": outsider.id})
        await self._take("outsider", outsider)
        self.workspace = await self.new_workspace()
        bound = {} if self.is_open else {"workspace": self.workspace}
        self.tokens["sdk"] = (await new_api_key(self.platform, **bound))["key"]
        revoked = await new_api_key(self.platform, role="admin", **bound)
        sent(await self.platform.http.delete(f"/api/keys/{revoked['id']}"))
        self.tokens["revoked"] = revoked["key"]

    async def account(self, caller: str) -> Account:
        """A new user with the role that this caller has everywhere."""
        role = "editor" if caller == "outsider" else caller
        return await new_account(self.platform, role if self.is_open else "viewer")

    async def new_workspace(self) -> str:
        """Another workspace with the same members."""
        members = {} if self.is_open else {n: {"id": self._accounts[n].id} for n in MEMBERS}
        return await new_workspace(self.platform, self.visibility, **members)

    async def shared(self, maker: Maker) -> str:
        """What `maker` creates, once for all callers that don't change it."""
        if maker not in self._shared:
            self._shared[maker] = await maker(self)
        return self._shared[maker]

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        """Create an object in the workspace, with a unique key, and return it."""
        body = {"key": self.key(), "workspace": self.workspace, **body}
        made: dict[str, Any] = sent(await self.platform.http.post(path, json=body))
        return made

    def key(self) -> str:
        """A unique key."""
        return new_key() if self.is_open else f"{CLASSIFIED}-{new_key()}"

    async def _take(self, caller: str, account: Account) -> None:
        self._accounts[caller] = account
        self.tokens[caller] = account.token


async def prompt(place: Place) -> str:
    """The id of a published prompt with a rollout."""
    made = await place.make("/api/prompts", content="one", env="dev")
    await place.platform.publish(made["id"])
    url = f"/api/prompts/{made['id']}/rollout"
    body = {"enabled": False, "variant_a": "v1", "variant_b": "v1", "weight_a": 50}
    sent(await place.platform.http.put(url, json=body))
    return str(made["id"])


async def served_key(place: Place) -> str:
    """The key of a prompt in the environment that is fetched by default."""
    return str((await place.make("/api/prompts", content="served", env="prod"))["key"])


async def workflow(place: Place) -> str:
    """The id of a workflow that is published as VERSION."""
    made = await place.make("/api/workflows", steps=STEPS)
    await publish(place, f"/api/workflows/{made['id']}")
    return str(made["id"])


async def agent(place: Place) -> str:
    """The id of an agent that is published as VERSION and has the conversation CONVERSATION."""
    made = await place.make("/api/agents", prompt="Hello")
    await publish(place, f"/api/agents/{made['id']}")
    url = f"/api/agents/{made['id']}/run"
    answer = await place.platform.http.post(url, json={"conversation_id": CONVERSATION})
    assert answer.status_code == 200, answer.text
    return str(made["id"])


async def publish(place: Place, url: str) -> None:
    answer = await place.platform.http.post(f"{url}/publish")
    assert answer.status_code == 200, answer.text


async def version(_place: Place) -> str:
    return VERSION


async def conversation(_place: Place) -> str:
    return CONVERSATION


async def connection(place: Place) -> str:
    return str((await place.make("/api/providers", name=place.key(), kind="mock"))["id"])


async def trigger(place: Place) -> str:
    made = await place.make("/api/triggers", **TRIGGER)
    place.newest_trigger = str(made["id"])
    return place.newest_trigger


async def delivery(place: Place) -> str:
    """The id of a delivery of the last created trigger."""
    return await failed_delivery(place.platform, place.newest_trigger)


async def run(place: Place) -> str:
    """The id of a run that has ended."""
    url = f"/api/workflows/{await workflow(place)}/run"
    answer = await place.platform.http.post(url)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


async def run_under_way(place: Place) -> str:
    """The id of a run that isn't executed."""
    new = NewRun(new_id(), place.workspace, "workflow", place.key())
    async with place.platform.platform.database.write() as transaction:
        await place.platform.platform.runlog.log.open(transaction, new)
    return new.id


async def schedule(place: Place) -> str:
    """The id of a schedule of a workflow."""
    target = await place.make("/api/workflows", steps=STEPS)
    made = await place.make("/api/schedules", workflow=target["key"], cron="0 3 * * *")
    return str(made["id"])


async def approval(place: Place) -> str:
    """The id of an approval that everybody who may run workflows can decide."""
    return await new_approval(place.platform, place.workspace, key=place.key(), allow_link=True)


async def approval_link(place: Place) -> str:
    """The token of a link that decides."""
    return await new_link(place.platform, await approval(place))


async def failed_run(place: Place) -> str:
    """The id of a run that can be retried."""
    made = await place.make("/api/workflows", steps=FAILING)
    answer = await place.platform.http.post(f"/api/workflows/{made['id']}/run")
    assert answer.status_code == 502, answer.text
    return str(answer.json()["run_id"])


async def change_request(place: Place) -> str:
    """The id of another user's change request, in an environment where admins may bypass
    approvals."""
    url = f"/api/workspaces/{place.workspace}/environments"
    rows = [{"name": row["name"]} for row in sent(await place.platform.http.get(url))]
    if "guarded" not in [row["name"] for row in rows]:
        rows.append({"name": "guarded"})
    guarded = {"approvals": 1, "allow_bypass": True}
    listed = [row | (guarded if row["name"] == "guarded" else {}) for row in rows]
    sent(await place.platform.http.put(url, json={"environments": listed}))
    made = await place.make("/api/prompts", content="one", env="dev")
    order = {"env": "guarded", "publish": True}
    answer = await place.platform.http.post(f"/api/prompts/{made['id']}/promote", json=order)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["change_request"]["id"])


async def user(place: Place) -> str:
    return (await new_account(place.platform)).id


async def member(place: Place) -> str:
    account = {"id": await user(place)}
    await join(place.platform, place.workspace, account, "viewer")
    return account["id"]


async def api_key(place: Place) -> str:
    name = place.key()
    return str((await new_api_key(place.platform, name=name, workspace=place.workspace))["id"])
