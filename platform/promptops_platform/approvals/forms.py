"""The values that come with a decision, compared with the form."""

from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas import findings
from promptops_flows.json_schemas.turns import Turns
from promptops_platform.errors import BadRequest


async def check_values(form: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raises BadRequest for values that the form does not take."""
    if not form and values:
        raise BadRequest("values: this approval has no form; send only a comment")
    if not form:
        return
    # On a thread: a comparison takes a fraction of a second at most.
    wrong = await Turns().compare(findings, form, dict(values))
    if wrong:
        raise BadRequest(
            f"values: {wrong[0]}; the approval's form says what it takes",
            fields={"problems": wrong},
        )
