"""A rollout as it is answered."""

from promptops_platform.db.tables import PromptRow, RolloutRow
from promptops_platform.rollouts.ab_form import form_of
from promptops_platform.rollouts.schemas import Rollout


def rollout_answer(prompt: PromptRow, row: RolloutRow) -> Rollout:
    """With the form that existing clients know."""
    form = form_of(row.variants)._asdict()
    return Rollout.of(row, key=prompt.key, env=prompt.env, **form)
