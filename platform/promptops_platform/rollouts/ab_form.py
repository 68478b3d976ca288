"""The format of existing clients, two versions and a percentage, on top of variants."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from promptops_platform.errors import BadRequest
from promptops_platform.rollouts.bucketing import BASIS_POINTS
from promptops_platform.rollouts.schemas import RolloutUpdate

PERCENT = BASIS_POINTS // 100
FIELDS = ("variant_a", "variant_b", "weight_a")
EMPTY = (
    {"name": "A", "version": "", "weight": BASIS_POINTS // 2},
    {"name": "B", "version": "", "weight": BASIS_POINTS // 2},
)

StoredVariants = Sequence[Mapping[str, Any]]


class AbForm(NamedTuple):
    """The first two variants; `weight_a` is in percent."""

    variant_a: str
    variant_b: str
    weight_a: int


def form_of(variants: StoredVariants) -> AbForm:
    """Return the A/B form of these variants."""
    first, second = variants[0], variants[1]
    rounded = (first["weight"] + PERCENT // 2) // PERCENT
    return AbForm(first["version"], second["version"], rounded)


def variants_after(update: RolloutUpdate, stored: StoredVariants) -> list[dict[str, Any]]:
    """Return the variants of a rollout after `update`; raises BadRequest if form and variants
    contradict each other, or the form can't express the change."""
    changes = update.model_dump(include=set(FIELDS), exclude_none=True)
    if "weight_a" in changes:
        changes["weight_a"] = min(max(changes["weight_a"], 0), 100)
    if update.variants is None:
        return _with_form(stored, changes)
    variants = [variant.model_dump() for variant in update.variants]
    if not changes.items() - form_of(variants)._asdict().items():
        return variants
    if update.updated_at is None:
        raise BadRequest(
            f"variants and {', '.join(changes)} contradict each other; send only one of them"
        )
    # The whole rollout was sent back, with one of the two changed.
    is_form_unchanged = not changes.items() - form_of(stored)._asdict().items()
    return variants if is_form_unchanged else _with_form(stored, changes)


def _with_form(stored: StoredVariants, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    shown = form_of(stored)
    changed_form = shown._replace(**changes)
    if changed_form == shown:
        # Also if the form shows a rounded share, so that saving it unchanged changes nothing.
        return [dict(variant) for variant in stored]
    if len(stored) > 2:
        raise BadRequest(
            f"{', '.join(changes)}: this rollout has {len(stored)} variants, which the A/B form "
            "can't change; send variants, or delete the rollout first"
        )
    first, second = (dict(variant) for variant in stored)
    first["version"], second["version"] = changed_form.variant_a, changed_form.variant_b
    if changed_form.weight_a != shown.weight_a:
        first["weight"] = changed_form.weight_a * PERCENT
        second["weight"] = BASIS_POINTS - first["weight"]
    return [first, second]
