"""Responses with rollouts."""

from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.ab_form import form_of
from promptops_platform.rollouts.schemas import ListedRollout, Rollout
from promptops_platform.rollouts.tables import RolloutRow


def rollout_answer(prompt: PromptRow, row: RolloutRow) -> Rollout:
    """Return the rollout with the A/B form of existing clients."""
    form = form_of(row.variants)._asdict()
    return Rollout.of(row, key=prompt.key, env=prompt.env, **form)


def listed_rollout(prompt: PromptRow, row: RolloutRow, published: str | None) -> ListedRollout:
    """Return the rollout with its prompt; `published` is the prompt's published label."""
    return ListedRollout(
        **rollout_answer(prompt, row).model_dump(),
        workspace_id=prompt.workspace_id,
        name=prompt.name,
        published_version=published,
    )
