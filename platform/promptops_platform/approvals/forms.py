"""Checks the values of a decision against the form."""

from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas import findings
from promptops_flows.json_schemas.turns import Turns
from promptops_platform.errors import BadRequest


async def check_values(form: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raises BadRequest for values that don't match the form."""
    if not form and values:
        raise BadRequest("values: this approval has no form; send only a comment")
    if not form:
        return
    # In a thread: the check takes a fraction of a second at most.
    wrong = await Turns().compare(findings, form, dict(values))
    if wrong:
        raise BadRequest(
            f"values: {wrong[0]}; see the approval's form",
            fields={"problems": wrong},
        )
