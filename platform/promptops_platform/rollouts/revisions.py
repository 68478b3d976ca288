"""The state of a rollout, or of its prompt, that a caller has read."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from promptops_platform.definitions.preconditions import (
    REVISION,
    EditedMeanwhile,
    agreed,
    named_tags,
    not_a_tag,
)
from promptops_platform.http.error_answers import quoted
from promptops_platform.prompts.body import ServedVersion
from promptops_platform.prompts.revisions import refuse_outdated
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.answer import rollout_answer
from promptops_platform.rollouts.tables import RolloutRow

TAG = "rollout-"
ROLLOUT_TAG = re.compile(rf"{TAG}[0-9]{{1,18}}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SeenRollout:
    """Revisions of the prompt and tags of the rollout, one of which must be the newest."""

    revisions: frozenset[int]
    tags: frozenset[str]


def rollout_tag(row: RolloutRow | None) -> str:
    """Return the content of a rollout's entity tag; it differs from any tag of its prompt."""
    if row is None:
        return f"{TAG}0"
    return f"{TAG}{(row.updated_at - EPOCH) // timedelta(microseconds=1)}"


def seen_rollout(if_match: str | None, if_revision: int | None) -> SeenRollout | None:
    """Return the states that the caller accepts as the newest; None if the last write wins.

    The header accepts the etag of the rollout and of its prompt, `if_revision` the prompt's
    revision. Raises BadRequest if the header is neither, or contradicts the body.
    """
    named_revisions = named_tags(if_match)
    if named_revisions is None and if_revision is None:
        return None
    tags = frozenset(tag for tag in named_revisions or () if ROLLOUT_TAG.fullmatch(tag))
    numbers = frozenset(int(tag) for tag in named_revisions or () if REVISION.fullmatch(tag))
    if named_revisions is not None and len(tags) + len(numbers) < len(named_revisions):
        raise not_a_tag(if_match)
    agreed_numbers = agreed(numbers or None, if_revision, if_match)
    return SeenRollout(agreed_numbers or frozenset(), tags)


def refuse_outdated_rollout(
    prompt: PromptRow,
    published: ServedVersion | None,
    row: RolloutRow | None,
    seen: SeenRollout | None,
) -> None:
    """Raises EditedMeanwhile if prompt and rollout are at none of the states that were read; the
    error contains the rollout if its tag was sent, otherwise the prompt."""
    if seen is None or rollout_tag(row) in seen.tags or prompt.revision in seen.revisions:
        return
    if not seen.tags:
        refuse_outdated(prompt, published, seen.revisions)
    raise EditedMeanwhile(
        f"if-match: the rollout of {quoted(prompt.key)} was changed since you read it; look at "
        f'`current` and try again with if-match "{rollout_tag(row)}"',
        fields={
            "current": None if row is None else rollout_answer(prompt, row).model_dump(mode="json"),
        },
    )
