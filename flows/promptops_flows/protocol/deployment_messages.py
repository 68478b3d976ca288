"""Messages between platform and engine about deployments in Prefect.

The platform's database is authoritative: the content of a work pool in Prefect is derived from it.
Each request has its own connection:

    platform → engine          engine → platform
    PutDeployment              DeploymentStored
    DeleteDeployment           Done
    Reconcile                  Reconciled
    NextTimes                  Times
    CatchUp                    CaughtUp
    PutTimer, DeleteTimer      Done
    EmitEvents                 Done

The reply to each of them may also be `Unavailable` (try again later) or `Refused` (never). Another
kind of connection stays open until the platform closes it:

    TakeDue                    Watching, PrefectReady, FlowRunDue, DeploymentPaused, ...
    FlowRunAnswer              (at any time, one for each FlowRunDue)

Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Owner:
    """The platform resource that a deployment or a timer belongs to: `kind` is a word such as
    `schedule`, and `ref` the id of a resource of that kind."""

    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a deployment runs by itself: exactly one of `cron`, `interval_seconds` and `rrule` is
    set. `timezone` is an IANA name. `anchor` is the start time of an interval, and requires one."""

    cron: str | None = None
    interval_seconds: float | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The desired state of a deployment in Prefect.

    Prefect returns its `owner` with each of its flow runs. `workspace` (a slug) and `key` are the
    definition's, and determine the flow's name like for all its runs; `name` is the deployment's.
    Prefect shows the `parameters`, and whoever runs the deployment there may change them. A
    `paused` deployment keeps its timetable, but has no due flow runs.
    """

    owner: Owner
    name: str
    workspace: str
    key: str
    timetable: Timetable | None = None
    paused: bool = False
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class PutDeployment:
    """Create or update a deployment, and schedule its next flow runs."""

    work_pool: str
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class DeploymentStored:
    """`url` is its page in Prefect."""

    deployment_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteDeployment:
    """Its flow runs that haven't begun are deleted with it."""

    work_pool: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class Timer:
    """A flow run that becomes due once, at `at`. It replaces an earlier timer of the same owner."""

    owner: Owner
    at: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """The complete list of deployments and timers of the work pool: others are deleted, and
    differences are corrected. A deployment that was paused or resumed in Prefect since its last
    update isn't corrected: see `DeploymentPaused`."""

    work_pool: str
    deployments: tuple[Deployment, ...] = ()
    timers: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The differences, by names: deployments that were missing, that differed, and that were
    superfluous. `urls` are `[kind, ref, deployment id, url]` of all deployments in Prefect;
    `refused` are `[kind, ref, reason]` of those that Prefect rejects; `timers` is the number of
    timers that differed."""

    created: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    urls: tuple[Any, ...] = ()
    refused: tuple[Any, ...] = ()
    timers: int = 0


@dataclass(frozen=True, slots=True)
class NextTimes:
    """Up to `count` times of each timetable at or after `after` (and not after `until`), as
    Prefect's scheduler computes them. Answered even while Prefect is down."""

    timetables: tuple[Timetable, ...]
    count: int
    after: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """A list of times for each timetable, in the same order."""

    times: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Create flow runs for the last `most` missed times of a deployment's timetable after `since`;
    existing flow runs aren't changed."""

    work_pool: str
    deployment: Deployment
    since: str
    most: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How many times were missed, at most one more than requested."""

    times: int


@dataclass(frozen=True, slots=True)
class PutTimer:
    work_pool: str
    timer: Timer


@dataclass(frozen=True, slots=True)
class DeleteTimer:
    work_pool: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """An event on the platform that starts a run of its owner's deployment.

    `name` is a text such as `promptops.prompt.published`. `id` is a UUID: Prefect starts one flow
    run per id. The flow run's only parameter is `event`, with `parameter` as its value.
    """

    id: str
    name: str
    owner: Owner
    parameter: str
    payload: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class EmitEvents:
    """Done once Prefect has accepted the events; it may still lose them if it stops. Events whose
    deployment doesn't exist in Prefect are left out."""

    work_pool: str
    events: tuple[PlatformEvent, ...]


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class TakeDue:
    """The sender takes the flow runs of the work pool that become due."""

    work_pool: str
    worker: str


@dataclass(frozen=True, slots=True)
class PrefectReady:
    """Prefect is available, for the first time or again: it may have lost recent changes."""


@dataclass(frozen=True, slots=True)
class FlowRunDue:
    """A flow run that is due. Reported at least once to each platform that takes the flow runs of
    the work pool, until it has begun or ended.

    `scheduled_at` is the time that it was first scheduled for. An `automatic` flow run was created
    by Prefect's scheduler from the timetable; otherwise somebody pressed Run in Prefect, or an
    event or a timer created it, and `parameters` are those that differ from the deployment's. A
    flow run that has `waited` was answered with `later` before.
    """

    flow_run_id: str
    owner: Owner
    scheduled_at: str
    automatic: bool = False
    waited: bool = False
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)


DueOutcome = Literal["taken", "done", "later", "refused"]


@dataclass(frozen=True, slots=True)
class FlowRunAnswer:
    """`taken`: a run executes the flow run, now or later. `done`: it ends as completed. `later`: it
    is reported again after `seconds`. `refused`: it ends as cancelled. Prefect shows the `message`,
    except for `taken`."""

    flow_run_id: str
    outcome: DueOutcome
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DeploymentPaused:
    """Somebody has paused or resumed the deployment in Prefect."""

    owner: Owner
    paused: bool


PoolRequest = (
    PutDeployment | DeleteDeployment | Reconcile | CatchUp | PutTimer | DeleteTimer | EmitEvents
)
DeploymentRequest = PoolRequest | NextTimes
DeploymentMessage = (
    DeploymentRequest
    | DeploymentStored
    | Reconciled
    | Times
    | CaughtUp
    | Done
    | TakeDue
    | FlowRunDue
    | FlowRunAnswer
    | DeploymentPaused
    | PrefectReady
)
DueEvent = PrefectReady | FlowRunDue | DeploymentPaused
KINDS: dict[str, type[DeploymentMessage]] = {
    "put_deployment": PutDeployment,
    "delete_deployment": DeleteDeployment,
    "reconcile": Reconcile,
    "next_times": NextTimes,
    "put_timer": PutTimer,
    "delete_timer": DeleteTimer,
    "emit_events": EmitEvents,
    "deployment_stored": DeploymentStored,
    "reconciled": Reconciled,
    "times": Times,
    "catch_up": CatchUp,
    "caught_up": CaughtUp,
    "done": Done,
    "take_due": TakeDue,
    "flow_run_due": FlowRunDue,
    "flow_run_answer": FlowRunAnswer,
    "deployment_paused": DeploymentPaused,
    "prefect_ready": PrefectReady,
}
