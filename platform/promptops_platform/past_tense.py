"""Actions in the past tense, for the summaries of the audit trail."""

IRREGULAR = {"rollback": "rolled back", "run": "ran"}


def past_tense(action: str) -> str:
    """`created` for `create`, `published` for `publish`, `rolled back` for `rollback`."""
    return IRREGULAR.get(action) or f"{action.removesuffix('e')}ed"
