"""Requests and responses about starting, cancelling and retrying runs."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field

from promptops_platform.field_types import Line, OptionalLine
from promptops_platform.http.examples import example
from promptops_platform.runlog.schemas import RunDetail
from promptops_platform.runlog.tables import RunRow


def _step_as_text(value: object) -> object:
    """A number as text. In JSON `true` is not a number, although Python's `True` is."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("must be the name or the number of a step")
    return str(value)


# Not a union: its errors would name Python's types.
_StepReference = Annotated[Line, BeforeValidator(_step_as_text, json_schema_input_type=Line | int)]


class StartedRun(BaseModel):
    """A run that continues in the background."""

    run_id: str
    data: RunDetail
    warnings: list[str] = Field(
        default_factory=list,
        description="Parts of the request or of the workflow's definition that have no effect.",
    )

    @classmethod
    def of(cls, row: RunRow, warnings: Sequence[str] = ()) -> Self:
        """Describe a run that was just recorded."""
        data = RunDetail.with_steps(row, [])
        return cls(run_id=row.id, data=data, warnings=list(warnings))


class RetryRun(BaseModel):
    """What the retry changes. `api_key` and `base_url` are passed to the provider, as in a run."""

    model_config = {**example(**{"from": "call"}), "populate_by_name": True}

    version: int | None = Field(
        default=None, ge=1, description="The number of another version of the definition."
    )
    from_step: _StepReference | None = Field(
        default=None,
        alias="from",
        description="Name or number of a step to execute again, with all steps that depend on it. "
        "By default, the steps that were not completed.",
    )
    api_key: OptionalLine = Field(
        default=None,
        description="Required if the run was started with one, because it is not stored.",
    )
    base_url: OptionalLine = None
