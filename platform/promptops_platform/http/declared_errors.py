"""Declares errors of a route that the rules of the API description can't derive."""

from typing import Any

from promptops_platform.errors import PlatformError


def may_answer(*errors: type[PlatformError]) -> dict[int | str, dict[str, Any]]:
    """Use as `responses=may_answer(StepFailed)` on a route, in addition to the derived errors."""
    return {error.status: {} for error in errors}
