"""Rollouts in requests and responses, and as they are served."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from promptops_platform.field_types import LONGEST_LABEL, Json, Label, Name, OptionalSubject
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.prompts.schemas import IfRevision, ServedPrompt
from promptops_platform.rollouts.bucketing import (
    BASIS_POINTS,
    bucket_of,
    choice,
    drawn_bucket,
    ends_of,
)

FEWEST_VARIANTS, MOST_VARIANTS = 2, 20

# Any label: only the versions of an enabled rollout have to exist.
AnyVersion = Annotated[Name, StringConstraints(max_length=LONGEST_LABEL)]


class Variant(BaseModel):
    """A version and its share of the fetches in basis points."""

    model_config = example(name="control", version="v1", weight=9000)

    name: Label
    version: AnyVersion
    weight: int = Field(ge=0, le=BASIS_POINTS, description="In basis points: 2500 is 25 %.")


def _unique(variants: list[Variant]) -> list[Variant]:
    names = [variant.name for variant in variants]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"names two variants {twice!r}; give each a different name")
    return variants


def _whole(variants: list[Variant]) -> list[Variant]:
    total = sum(variant.weight for variant in variants)
    if total != BASIS_POINTS:
        raise ValueError(
            f"the weights add up to {total}; they are basis points and must add up to "
            f"{BASIS_POINTS}"
        )
    return variants


Variants = Annotated[
    list[Variant],
    Field(min_length=FEWEST_VARIANTS, max_length=MOST_VARIANTS),
    AfterValidator(_unique),
    AfterValidator(_whole),
]


class RolloutUpdate(BaseModel):
    """Either the A/B form or `variants`. An absent or null field leaves the value unchanged."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 90},
                {
                    "enabled": True,
                    "variants": [
                        {"name": "control", "version": "v1", "weight": 9000},
                        {"name": "short", "version": "v2", "weight": 750},
                        {"name": "long", "version": "v3", "weight": 250},
                    ],
                    "salt": "greeting-lengths",
                },
            ]
        }
    )

    enabled: bool | None = None
    variant_a: AnyVersion | None = Field(
        default=None, description="The version of the first variant."
    )
    variant_b: AnyVersion | None = Field(
        default=None, description="The version of the second variant."
    )
    weight_a: int | None = Field(
        default=None,
        description="The first variant's share in percent; limited to 0 to 100.",
    )
    variants: Variants | None = None
    salt: OptionalSubject = Field(
        default=None,
        description="Rollouts with the same salt assign subjects alike. A new rollout gets a new "
        "salt.",
    )
    if_revision: IfRevision = None
    updated_at: Json = Field(
        default=None,
        description="From the response, if the whole rollout is sent back: `variants` and the A/B "
        "form may then differ, and the changed one counts, or the form if both were changed.",
    )


class Rollout(Resource):
    """How the fetches of a prompt are distributed over its versions.

    `variant_a` and `variant_b` are the first two variants, and `weight_a` is the share of the first
    one, rounded to percent. `variants` are all variants, with exact weights.
    """

    model_config = example(
        id="5b6c7d8e9f0a1b2c",
        key="greeting",
        env="prod",
        enabled=True,
        variant_a="v1",
        variant_b="v2",
        weight_a=90,
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        prompt_id="0f3c5d7e9a3f2a1c",
        variants=[
            {"name": "A", "version": "v1", "weight": 9000},
            {"name": "B", "version": "v2", "weight": 1000},
        ],
        salt="0192f0c1e2b77a3f8d2c5b6a7e8f9012",
    )

    id: str
    key: str
    env: str
    enabled: bool
    variant_a: str
    variant_b: str
    weight_a: int
    created_at: datetime
    updated_at: datetime
    prompt_id: str
    variants: list[Variant]
    salt: str


class ListedRollout(Rollout):
    """A rollout in a list, with its prompt."""

    model_config = example(
        id="5b6c7d8e9f0a1b2c",
        key="greeting",
        env="prod",
        enabled=True,
        variant_a="v1",
        variant_b="v2",
        weight_a=90,
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        prompt_id="0f3c5d7e9a3f2a1c",
        variants=[
            {"name": "A", "version": "v1", "weight": 9000},
            {"name": "B", "version": "v2", "weight": 1000},
        ],
        salt="0192f0c1e2b77a3f8d2c5b6a7e8f9012",
        workspace_id="default",
        name="Greeting",
        published_version="v2",
    )

    workspace_id: str
    name: str
    published_version: str | None


@dataclass(frozen=True, slots=True)
class RunningVariant:
    """A variant and what it serves."""

    name: str
    weight: int
    served: ServedPrompt


@dataclass(frozen=True, slots=True)
class RunningRollout:
    """An enabled rollout, as fetches need it."""

    salt: str
    variants: tuple[RunningVariant, ...]

    def variant_for(self, subject: str | None) -> RunningVariant:
        """Return the variant: the same subject always gets the same one; without a subject it is
        drawn."""
        bucket = drawn_bucket() if subject is None else bucket_of(self.salt, subject)
        return self.variants[choice(ends_of(variant.weight for variant in self.variants), bucket)]
