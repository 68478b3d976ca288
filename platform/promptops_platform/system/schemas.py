"""Responses about the state of the installation."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from promptops_platform.http.examples import example
from promptops_platform.observability.schemas import Parts

Level = Literal["ok", "warning", "problem"]

EXAMPLE_FINDING: dict[str, Any] = {
    "check": "secrets",
    "level": "warning",
    "text": "the account 'admin' has the well-known default password",
    "remedy": "promptops set-password admin",
}
EXAMPLE_DATABASE: dict[str, Any] = {
    "kind": "sqlite",
    "location": "the SQLite file data/promptops.db (PROMPTOPS_DB)",
    "schema_revision": "0018",
    "bytes": 4_218_880,
    "answer_ms": 0.41,
}
EXAMPLE_FEED: dict[str, Any] = {
    "revision": 4711,
    "seen": 4711,
    "epoch": "0198a3b2c4d5e6f7",
    "seconds_behind": 0.02,
}
EXAMPLE_REPLICA: dict[str, Any] = {
    "id": "0198a3b2c4d5e6f8",
    "is_this": True,
    "revision": 4711,
    "epoch": "0198a3b2c4d5e6f7",
    "seen_seconds_ago": 0.0,
}
EXAMPLE_RUNS: dict[str, Any] = {"in_flight": 3, "concurrency": 8}
EXAMPLE_DEPLOYMENTS: dict[str, Any] = {
    "waiting": 0,
    "compared_at": "2026-03-14T09:27:04.125Z",
    "refused": 0,
    "corrected_at": "2026-03-14T09:27:04.125Z",
    "created": ["report/nightly-report"],
    "corrected": [],
    "removed": [],
    "timers": 0,
}
EXAMPLE_PREFECT: dict[str, Any] = {
    "is_embedded": True,
    "url": "http://127.0.0.1:4200",
    "deployments": EXAMPLE_DEPLOYMENTS,
}


class DatabaseState(BaseModel):
    """The registry; values that only the database knows are null while it does not respond."""

    model_config = example(**EXAMPLE_DATABASE)

    kind: Literal["sqlite", "postgresql"]
    location: str = Field(description="Without user and password.")
    schema_revision: str | None
    bytes: int | None
    answer_ms: float | None


class FeedState(BaseModel):
    """The change feed at this replica: what it has applied, and the newest known revision."""

    model_config = example(**EXAMPLE_FEED)

    revision: int
    seen: int
    epoch: str
    seconds_behind: float | None = Field(description="Null until it has been up to date.")


class ReplicaState(BaseModel):
    """A process that serves requests. With SQLite there is one."""

    model_config = example(**EXAMPLE_REPLICA)

    id: str
    is_this: bool
    revision: int
    epoch: str
    seen_seconds_ago: float


class RunState(BaseModel):
    """Runs of this replica that have not ended, including those that wait for the engine, and the
    maximum number that the engine executes at once."""

    model_config = example(**EXAMPLE_RUNS)

    in_flight: int
    concurrency: int


class DeploymentsState(BaseModel):
    """Schedules and triggers in Prefect, which are compared with the platform's whenever Prefect
    becomes available. `created`, `corrected` and `removed` name those that differed at
    `corrected_at`, at most 20 each."""

    model_config = example(**EXAMPLE_DEPLOYMENTS)

    waiting: int = Field(description="Changes that Prefect does not have yet.")
    compared_at: datetime | None = Field(description="Null before the first comparison.")
    refused: int = Field(description="Deployments that Prefect refuses.")
    corrected_at: datetime | None = Field(description="When something last differed.")
    created: list[str]
    corrected: list[str]
    removed: list[str]
    timers: int


class PrefectState(BaseModel):
    """The Prefect server that executes runs. The login of the embedded one is in
    `prefect/credentials` in the data folder."""

    model_config = example(**EXAMPLE_PREFECT)

    is_embedded: bool
    url: str = Field(description="Without user and password.")
    deployments: DeploymentsState


class System(BaseModel):
    """The replica that responds, and what it knows about the others."""

    model_config = example(
        version="0.1.0",
        python="3.11.9",
        prefect_version="3.6.1",
        started_at="2026-03-14T09:26:53.589793Z",
        parts={
            "database": {"ok": True, "detail": "answers"},
            "feed": {"ok": True, "detail": "follows the changes"},
            "engine": {"ok": True, "detail": "answers"},
            "prefect": {"ok": True, "detail": "answers the run engine"},
            "disk": {"ok": True, "detail": "has room"},
        },
        database=EXAMPLE_DATABASE,
        feed=EXAMPLE_FEED,
        replicas=[EXAMPLE_REPLICA],
        runs=EXAMPLE_RUNS,
        prefect=EXAMPLE_PREFECT,
        watchers=42,
        settings={"PROMPTOPS_ADDR": ":8080", "PROMPTOPS_TOKEN": "(hidden)"},
    )

    version: str
    python: str
    prefect_version: str = Field(description="The client's version; the server's should be equal.")
    started_at: datetime
    parts: Parts
    database: DatabaseState
    feed: FeedState
    replicas: list[ReplicaState]
    runs: RunState
    prefect: PrefectState
    watchers: int = Field(description="Connections to this replica that watch for changes.")
    settings: dict[str, str] = Field(
        description="By environment variable; for secrets, only whether they are set."
    )


class SystemFinding(BaseModel):
    """A finding. `text` says what was found, `remedy` how to fix it; with `ok` it is empty."""

    model_config = example(**EXAMPLE_FINDING)

    check: str
    level: Level
    text: str
    remedy: str


class Examination(BaseModel):
    """The findings of `promptops doctor`, run on the platform's machine."""

    model_config = example(examined_at="2026-03-14T09:26:53.589793Z", findings=[EXAMPLE_FINDING])

    examined_at: datetime
    findings: list[SystemFinding]
