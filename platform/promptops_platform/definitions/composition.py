"""Builds what prompts, agents and workflows share."""

from promptops_platform.access.composition import Access
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.definitions.states import ServedStates
from promptops_platform.definitions.uses import DefinitionUses
from promptops_platform.workspaces.composition import Workspaces


class Definitions:
    """Every change to what is served, including prompts, passes the one `gate`. Rooms whose
    contents use definitions add themselves to `uses`."""

    def __init__(self, access: Access, workspaces: Workspaces) -> None:
        self.gate = ServedGate(access.grants)
        self.states = ServedStates(workspaces.environments)
        self.uses: list[DefinitionUses] = []
