"""The main job: edit a prompt and a running program changes; a workflow's run is a Prefect flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.processes import eventually, is_alive
from harness.up import PromptOps, created, promptops, run_workflow
from harness.up_runs import ended_as
from harness.watching_program import WatchingProgram, watching_program

# A change reaches a program within a second; this is the deadline on a busy machine.
CHANGE_SECONDS = 30.0
RECONNECT_SECONDS = 30.0
KEY = "greeting"
STEPS = [
    {"name": "greet", "type": "render", "template": "Hello {{name}}"},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "loud", "type": "transform", "op": "upper"},
]
REFUSED = {"name": "call", "type": "model", "provider": "mock", "model": "mock-fail-refused"}
STATE_OF_THE_PLATFORM = (
    "/api/prompts",
    "/api/workflows",
    "/api/runs",
    "/api/runs/stats",
    "/api/audit",
    "/api/me",
)


@pytest.fixture(scope="module")
def platform() -> Iterator[PromptOps]:
    with promptops() as platform:
        platform.start()
        yield platform
        assert platform.stop() == 0
        assert platform.processes() == set()


@pytest.fixture(scope="module")
def client(platform: PromptOps) -> Iterator[httpx.Client]:
    """A caller with a login session, as the console has one."""
    with httpx.Client(base_url=platform.url) as anonymous:
        login = anonymous.post("/api/login", json={"username": "admin", "password": "admin"})
    with platform.client(login.json()["token"]) as client:
        yield client


@pytest.fixture(scope="module")
def prompt(client: httpx.Client) -> dict[str, Any]:
    return created(client, "prompts", key=KEY, env="prod", content="Hello {{who}}")


@pytest.fixture(scope="module")
def program(platform: PromptOps, prompt: dict[str, Any]) -> Iterator[WatchingProgram]:
    with watching_program(platform.url, platform.token, prompt["key"]) as program:
        assert program.last(KEY) == ("v1", "Hello Ada")
        yield program


@pytest.fixture(scope="module")
def welcome(client: httpx.Client) -> dict[str, Any]:
    return created(client, "workflows", key="welcome", name="Welcome", steps=STEPS)


@pytest.fixture(scope="module")
def declined(client: httpx.Client) -> dict[str, Any]:
    return created(client, "workflows", key="declined", steps=[STEPS[0], REFUSED, STEPS[2]])


def shows(program: WatchingProgram, version: str, text: str, within: float) -> None:
    eventually(lambda: program.last(KEY) == (version, text), seconds=within)


def edit(client: httpx.Client, prompt: dict[str, Any], content: str) -> None:
    answer = client.put(f"/api/prompts/{prompt['id']}", json={"content": content})
    assert answer.status_code == 200, answer.text


def publish(client: httpx.Client, prompt: dict[str, Any]) -> str:
    answer = client.post("/api/prompts/publish", json={"id": prompt["id"]})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["version"])


def prefect_runs(api: httpx.Client, kind: str, flow_run_id: str) -> list[dict[str, Any]]:
    run_filter = {"flow_runs": {"id": {"any_": [flow_run_id]}}}
    answer = api.post(f"{kind}/filter", json={**run_filter, "sort": "EXPECTED_START_TIME_ASC"})
    assert answer.status_code == 200, answer.text
    runs: list[dict[str, Any]] = answer.json()
    return runs


def task_states(api: httpx.Client, flow_run_id: str) -> list[tuple[str, str]]:
    runs = sorted(
        prefect_runs(api, "task_runs", flow_run_id), key=lambda run: run["start_time"] or ""
    )
    return [(run["name"], run["state_name"]) for run in runs]


def test_an_edit_reaches_the_running_program(
    client: httpx.Client, prompt: dict[str, Any], program: WatchingProgram
) -> None:
    edit(client, prompt, "Good day {{who}}")
    shows(program, "v1", "Good day Ada", CHANGE_SECONDS)
    assert publish(client, prompt) == "v1"
    eventually(lambda: program.shown[-1]["event"] == "prompt.published", seconds=CHANGE_SECONDS)
    edit(client, prompt, "Servus {{ who }}")
    assert publish(client, prompt) == "v2"
    shows(program, "v2", "Servus Ada", CHANGE_SECONDS)
    # The draft between the two was nobody's business.
    texts = list(dict.fromkeys((line["version"], line["text"]) for line in program.shown))
    assert texts == [("v1", "Hello Ada"), ("v1", "Good day Ada"), ("v2", "Servus Ada")]
    rollback = client.post("/api/prompts/rollback", json={"id": prompt["id"], "version": "v1"})
    assert rollback.status_code == 200
    shows(program, "v1", "Good day Ada", CHANGE_SECONDS)


def test_the_program_is_seen_as_a_client(client: httpx.Client, program: WatchingProgram) -> None:
    assert program.is_running()
    (seen,) = client.get("/api/clients").json()["data"]
    assert (seen["client_type"], seen["app"], seen["namespace"]) == ("python", "greeter", "prod")


def test_a_workflows_run_is_a_prefect_flow(
    platform: PromptOps, client: httpx.Client, welcome: dict[str, Any]
) -> None:
    answer = run_workflow(client, welcome, variables={"name": "Ada"})
    assert answer.status_code == 200, answer.text
    ran = answer.json()
    assert ran["output"] == "[MOCK COMPLETION] HELLO ADA"
    traced = [(step["name"], step["output"], step["state"]) for step in ran["steps"]]
    assert traced == [
        ("greet", "Hello Ada", "Completed"),
        ("call", "[mock completion] Hello Ada", "Completed"),
        ("loud", "[MOCK COMPLETION] HELLO ADA", "Completed"),
    ]
    assert all(step["attempts"] == 1 and step["start"] for step in ran["steps"])

    with platform.prefect() as api:
        ended_as(api, "Completed", ran["flow_run_id"])
        (run,) = prefect_runs(api, "flow_runs", ran["flow_run_id"])
        flow = api.get(f"flows/{run['flow_id']}").json()
        tasks = [(step["name"], "Completed") for step in STEPS]
        eventually(lambda: task_states(api, ran["flow_run_id"]) == tasks)
    assert flow["name"] == "welcome"
    assert run["name"] == f"welcome · {ran['run_id'][-6:]}"
    plain = {tag for tag in run["tags"] if not tag.startswith("engine:")}
    assert plain == {"promptops", "workflow", "workspace:default"}
    assert len(run["tags"]) == len(plain) + 1
    page = httpx.get(ran["flow_run_url"], headers={"accept": "text/html"}, follow_redirects=True)
    assert (page.status_code, page.headers["content-type"][:9]) == (200, "text/html")

    logged = client.get(f"/api/runs/{ran['run_id']}").json()["data"]
    assert (logged["status"], logged["output"]) == ("ok", ran["output"])
    assert [step["name"] for step in logged["steps"]] == ["greet", "call", "loud"]


def test_a_failing_step_is_named_and_recorded(
    platform: PromptOps, client: httpx.Client, declined: dict[str, Any]
) -> None:
    answer = run_workflow(client, declined, variables={"name": "Ada"})
    failed = answer.json()
    sentence = "step 2 (call): provider mock: the model declined to answer"
    assert (answer.status_code, failed["error"]) == (502, sentence)

    newest = client.get("/api/runs").json()["data"][0]
    assert (newest["id"], newest["ref_key"]) == (failed["run_id"], "declined")
    assert (newest["status"], newest["error"]) == ("error", sentence)
    logged = client.get(f"/api/runs/{newest['id']}").json()["data"]
    states = [(step["name"], step["state"]) for step in logged["steps"]]
    assert states == [("greet", "Completed"), ("call", "Failed")]

    with platform.prefect() as api:
        ended_as(api, "Failed", failed["flow_run_id"])
        (run,) = prefect_runs(api, "flow_runs", failed["flow_run_id"])
        assert run["state"]["message"] == sentence
        eventually(lambda: task_states(api, run["id"]) == states)


def test_prefect_asks_for_the_password(platform: PromptOps) -> None:
    url = f"http://127.0.0.1:{platform.prefect_port}/api/flows/filter"
    assert httpx.post(url, json={}).status_code == 401
    assert httpx.post(url, json={}, auth=platform.prefect_login()).status_code == 200


def test_kill_9_loses_nothing(
    platform: PromptOps,
    client: httpx.Client,
    prompt: dict[str, Any],
    program: WatchingProgram,
    welcome: dict[str, Any],
    declined: dict[str, Any],
) -> None:
    assert run_workflow(client, welcome, variables={"name": "Ada"}).status_code == 200
    assert run_workflow(client, declined).status_code == 502
    publish(client, prompt)

    def kept() -> dict[str, Any]:
        runs = client.get("/api/runs").json()["data"]
        paths = [f"/api/runs/{run['id']}" for run in runs]
        paths += [*STATE_OF_THE_PLATFORM, f"/api/prompts/{prompt['id']}/versions"]
        return {path: client.get(path).json() for path in paths}

    before, login = kept(), platform.prefect_login()
    runs = before["/api/runs"]["data"]
    names = {"ok": "Completed", "error": "Failed"}
    with platform.prefect() as api:
        for run in runs:
            ended_as(api, names[run["status"]], run["flow_run_id"])
    children = {platform.child("engine"), platform.child("prefect")}
    assert all(is_alive(pid) for pid in children)
    assert children < platform.processes()

    platform.kill()
    platform.all_gone()
    eventually(lambda: not any(is_alive(pid) for pid in children))

    platform.start()
    assert kept() == before
    assert platform.prefect_login() == login

    edit(client, prompt, "Welcome back {{who}}")
    shows(program, publish(client, prompt), "Welcome back Ada", RECONNECT_SECONDS)

    again = run_workflow(client, welcome, variables={"name": "Bob"})
    assert again.json()["output"] == "[MOCK COMPLETION] HELLO BOB"
    with platform.prefect() as api:
        for run in runs:
            shown = api.get(f"flow_runs/{run['flow_run_id']}").json()
            assert shown["state_name"] == names[run["status"]]
