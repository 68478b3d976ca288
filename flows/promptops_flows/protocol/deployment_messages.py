"""What platform and engine say about deployments in Prefect.

The platform's database has the authority: what Prefect holds of a work pool is made from it. Each
request has a connection of its own:

    platform → engine          engine → platform
    PutDeployment              DeploymentStored
    DeleteDeployment           Done
    Reconcile                  Reconciled
    NextTimes                  Times
    CatchUp                    CaughtUp
    PutTimer, DeleteTimer      Done
    EmitEvents                 Done

Each of them may be answered by `Unavailable` (again later) or `Refused` (never). And one connection
lasts as long as the platform likes:

    TakeDue                    Watching, PrefectReady, FlowRunDue, DeploymentPaused, ...
    FlowRunAnswer              (at any time, one for each FlowRunDue)

Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Owner:
    """What of the platform a deployment or a timer is for: `kind` is like `schedule`, and `ref` an
    id of that kind."""

    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a deployment runs by itself: exactly one of `cron`, `interval_seconds` and `rrule` is
    set. `timezone` is an IANA name. `anchor` is the time from which an
    interval counts, and goes with it."""

    cron: str | None = None
    interval_seconds: float | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as Prefect is to hold it.

    Its `owner` comes back with each of its flow runs. `workspace` (a
    slug) and `key` are of the definition, and make up the flow's name as for all runs of it; `name`
    is the deployment's. `parameters` are what Prefect shows, and what somebody may change who runs
    it there. A deployment that is `paused` keeps its timetable, and nothing becomes due by it.
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
    """Create or change a deployment, and schedule its next flow runs."""

    work_pool: str
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class DeploymentStored:
    """`url` is where Prefect shows it."""

    deployment_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteDeployment:
    """Its flow runs that have not begun are removed with it."""

    work_pool: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class Timer:
    """A flow run that becomes due once, at `at`. Another timer of the same owner replaces it."""

    owner: Owner
    at: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """These are all deployments and timers of the work pool: others are removed, and those that
    Prefect has otherwise are corrected. A deployment that was paused or resumed in Prefect since it
    was put is not corrected: see `DeploymentPaused`."""

    work_pool: str
    deployments: tuple[Deployment, ...] = ()
    timers: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What differed, by names: those that Prefect lacked, those that it had otherwise, and those
    that it had too many. `urls` are `[kind, ref, deployment id, url]` of all deployments that it
    has; `refused` are `[kind, ref, reason]` of those that it does not take; `timers` is how many of
    them differed."""

    created: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    urls: tuple[Any, ...] = ()
    refused: tuple[Any, ...] = ()
    timers: int = 0


@dataclass(frozen=True, slots=True)
class NextTimes:
    """Up to `count` times of each timetable at or after `after` (and not after `until`), as
    Prefect's scheduler takes them. Answered while Prefect is away, too."""

    timetables: tuple[Timetable, ...]
    count: int
    after: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """A list of times for each timetable, in order."""

    times: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Have flow runs for the last `most` times of a deployment's timetable after `since` that have
    passed; those that Prefect has made already stay as they are."""

    work_pool: str
    deployment: Deployment
    since: str
    most: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How many times have passed, at most one more than were asked for."""

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
    """Something that has happened, which starts a run of its owner's deployment.

    `name` is like `promptops.prompt.published`. `id` is a UUID: Prefect starts one flow run for an
    id. The flow run's only parameter is `event`, the given `parameter`.
    """

    id: str
    name: str
    owner: Owner
    parameter: str
    payload: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class EmitEvents:
    """Done once Prefect has taken them; it may still lose them when it ends. An event whose
    deployment Prefect does not have is left out."""

    work_pool: str
    events: tuple[PlatformEvent, ...]


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class TakeDue:
    """Whoever sends this takes the flow runs of the work pool that become due."""

    work_pool: str
    worker: str


@dataclass(frozen=True, slots=True)
class PrefectReady:
    """Prefect answers, for the first time or again: it may have lost what was put meanwhile."""


@dataclass(frozen=True, slots=True)
class FlowRunDue:
    """A flow run whose time has come. Reported at least once, to each platform that takes those of
    the work pool, until it has begun or ended.

    `scheduled_at` is the time that it was first made for. With `automatic` Prefect's scheduler has
    made it of the timetable; otherwise somebody pressed Run in Prefect, or an event or a timer made
    it, and `parameters` are those that differ from the deployment's. One that has `waited` was
    answered with `later` before.
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
    """`taken`: a run executes it, now or when its turn comes. `done`: it ends as completed.
    `later`: it is reported again after `seconds`. `refused`: it ends as cancelled. Prefect shows
    the `message`, but for `taken`.
    """

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
