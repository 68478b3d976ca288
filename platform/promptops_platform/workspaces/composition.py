"""Builds the workspaces room: workspaces, members and environments."""

from collections.abc import Sequence

from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.workspaces.contents import EnvironmentUse, RoomContents
from promptops_platform.workspaces.environment_list import EnvironmentList
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.members import MemberService
from promptops_platform.workspaces.removal import WorkspaceRemoval
from promptops_platform.workspaces.service import WorkspaceService


class Workspaces:
    """`contents` are the things that the rooms above store in a workspace; `uses` keep environments
    from being removed."""

    def __init__(
        self,
        access: Access,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
        *,
        uses: Sequence[EnvironmentUse],
        contents: Sequence[RoomContents],
    ) -> None:
        self.environments = EnvironmentService(changes.log)
        self.service = WorkspaceService(
            grants=access.grants,
            environments=self.environments,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.members = MemberService(
            workspaces=self.service,
            users=access.users,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.environment_list = EnvironmentList(
            workspaces=self.service, environments=self.environments, uses=uses, audit=audit
        )
        self.removal = WorkspaceRemoval(
            workspaces=self.service,
            contents=contents,
            grants=access.grants,
            audit=audit,
            changes=changes.log,
        )
        self.services = (self.service, self.members, self.environment_list, self.removal)
