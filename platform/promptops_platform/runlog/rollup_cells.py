"""The sums that a run adds to when it ends."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from promptops_platform.runlog.tables import RunRow, RunStepRow

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# In the sums by prompt: by how much runs are counted more than once, under several keys or
# versions.
OVERLAP_OF_KEYS, OVERLAP_OF_VERSIONS = "key", "version"
BY_VERSION, BY_STATE = "version", "state"
# Without columns that few statistics need, so that the others read fewer and shorter rows.
SOURCE_ALONE, VERSION_ALONE = "source", "alone"


class Cell(NamedTuple):
    """The key of one row of the roll-ups; see `RunRollupRow`."""

    workspace_id: str
    grain: str
    span: str
    starts_at: datetime
    source: str
    ref_key: str
    provider: str
    model: str


class PromptCell(NamedTuple):
    """The key of one row of the roll-ups by prompt; see `RunPromptRollupRow`."""

    workspace_id: str
    span: str
    starts_at: datetime
    source: str
    prompt_key: str
    prompt_env: str
    prompt_version: str
    provider: str
    model: str


class VersionCell(NamedTuple):
    """The key of one row of the roll-ups by version and state; see `RunVersionRollupRow`."""

    workspace_id: str
    grain: str
    span: str
    starts_at: datetime
    source: str
    ref_key: str
    version: str
    state: str
    provider: str
    model: str


class UsedVersion(NamedTuple):
    """A version of a prompt in an environment."""

    key: str
    env: str
    version: str


def used_versions(run: RunRow, steps: Iterable[RunStepRow]) -> set[UsedVersion]:
    """Return the versions used by the run and its steps."""
    versions = {
        UsedVersion(prompt["key"], prompt["env"], prompt["version"])
        for step in steps
        for prompt in step.prompts or ()
    }
    if run.prompt_key is not None:
        own = (run.prompt_key, run.prompt_env or "", run.prompt_version or "")
        versions.add(UsedVersion(*own))
    return versions


def starts(at: datetime) -> dict[str, datetime]:
    """Return the start of the hour, the day and all of time that contain a time, in UTC."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return {"hour": hour, "day": hour.replace(hour=0), "all": BEGINNING}


def cells(run: RunRow, provider: str, model: str) -> Iterator[Cell]:
    """Yield the cells of `RunRollupRow`."""
    for span, start in starts(run.created_at).items():
        place = (span, start, run.source)
        yield Cell(run.workspace_id, "model", *place, "", provider, model)
        yield Cell(run.workspace_id, "full", *place, run.ref_key, provider, model)
        # No statistic needs groups over all of time.
        if span != "all":
            yield Cell(run.workspace_id, "key", *place, run.ref_key, "", "")
            yield Cell(run.workspace_id, SOURCE_ALONE, *place, "", "", "")


def version_cells(run: RunRow, provider: str, model: str) -> Iterator[VersionCell]:
    """Yield the cells of `RunVersionRollupRow`."""
    for span, start in starts(run.created_at).items():
        if span == "all":
            continue
        place, called = (span, start, run.source), (run.state, provider, model)
        version = (run.ref_key, run.version or "")
        yield VersionCell(run.workspace_id, BY_VERSION, *place, *version, *called)
        yield VersionCell(run.workspace_id, BY_STATE, *place, "", "", *called)
        yield VersionCell(run.workspace_id, VERSION_ALONE, *place, *version, "", "", "")


def prompt_cells(
    run: RunRow, prompts: Collection[UsedVersion], provider: str, model: str
) -> Iterator[tuple[PromptCell, int]]:
    """Yield the cells of `RunPromptRollupRow`, each with the number of times that the run is added
    to it."""
    for span, start in starts(run.created_at).items():
        if span == "all":
            continue
        for prompt, times in prompt_weights(prompts).items():
            place = (run.workspace_id, span, start, run.source)
            yield PromptCell(*place, *prompt, provider, model), times


def prompt_weights(prompts: Collection[UsedVersion]) -> dict[UsedVersion, int]:
    """Return 1 for each version, and corrections for sums over several of them, so that a run
    counts once in each sum over a key, over an environment of it, or over a version of it: see
    `RunPromptRollupRow`."""
    weights = dict.fromkeys(prompts, 1)
    if len(weights) < 2:
        return weights
    keys = {prompt.key for prompt in weights}
    for key in keys:
        weights |= _corrections([prompt for prompt in prompts if prompt.key == key])
    weights[UsedVersion("", OVERLAP_OF_KEYS, "")] = len(keys) - 1
    weights[UsedVersion("", OVERLAP_OF_VERSIONS, "")] = len(set(prompts)) - 1
    return {prompt: times for prompt, times in weights.items() if times}


def _corrections(prompts: Collection[UsedVersion]) -> dict[UsedVersion, int]:
    key = next(iter(prompts)).key
    versions = set(prompts)
    by_env = Counter(UsedVersion(key, prompt.env, "") for prompt in versions)
    by_version = Counter(UsedVersion(key, "", prompt.version) for prompt in versions)
    corrections = {part: 1 - number for part, number in (by_env | by_version).items()}
    # Sums over the whole key include these already.
    whole = 1 - len(versions) - sum(corrections.values())
    return {**corrections, UsedVersion(key, "", ""): whole}
