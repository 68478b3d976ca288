"""A rollout as it is answered."""

from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.ab_form import form_of
from promptops_platform.rollouts.schemas import ListedRollout, Rollout
from promptops_platform.rollouts.tables import RolloutRow


def rollout_answer(prompt: PromptRow, row: RolloutRow) -> Rollout:
    """With the form that existing clients know."""
    form = form_of(row.variants)._asdict()
    return Rollout.of(row, key=prompt.key, env=prompt.env, **form)


def listed_rollout(prompt: PromptRow, row: RolloutRow, published: str | None) -> ListedRollout:
    """With what names its prompt; `published` is the label that the prompt has published."""
    return ListedRollout(
        **rollout_answer(prompt, row).model_dump(),
        workspace_id=prompt.workspace_id,
        name=prompt.name,
        published_version=published,
    )
