"""Builds the schedules room."""

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.composition import Definitions
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.execution.composition import Execution
from promptops_platform.schedules.deployment_kind import ScheduleDeployments
from promptops_platform.schedules.firing import ScheduleFiring
from promptops_platform.schedules.following import ScheduleFollower, ScheduleUses
from promptops_platform.schedules.saving import ScheduleSaving
from promptops_platform.schedules.service import ScheduleService
from promptops_platform.schedules.tables import KIND
from promptops_platform.schedules.views import ScheduleViews
from promptops_platform.settings import Settings
from promptops_platform.targets.composition import Targets
from promptops_platform.workspaces.composition import Workspaces


class Schedules:
    """The deployments room runs its background work. `follower` is a consumer of the change
    feed."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        workspaces: Workspaces,
        definitions: Definitions,
        execution: Execution,
        deployments: DeploymentsRoom,
        targets: Targets,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
        *,
        text_policy: TextPolicy,
    ) -> None:
        definitions.uses.append(ScheduleUses())
        self.service = ScheduleService(
            grants=access.grants,
            deployments=deployments.service,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        saving = ScheduleSaving(
            database=database,
            schedules=self.service,
            workspaces=workspaces.service,
            environments=workspaces.environments,
            targets=targets.runs,
            deployments=deployments.service,
        )
        views = ScheduleViews(
            database=database,
            schedules=self.service,
            deployments=deployments.service,
            targets=targets.runs,
            workspaces=workspaces.service,
        )
        firing = ScheduleFiring(
            database=database,
            schedules=self.service,
            deployments=deployments.service,
            claims=deployments.claims,
            targets=targets.runs,
            cancels=execution.cancels,
        )
        handler = ScheduleDeployments(
            database=database,
            schedules=self.service,
            deployments=deployments.service,
            targets=targets.runs,
            firing=firing,
            texts=text_policy,
            console_url=settings.console_url,
        )
        deployments.kinds.add(KIND, handler)
        deployments.service.when_ready(handler.catch_up)
        self.follower = ScheduleFollower(database, deployments.service)
        self.services = (self.service, saving, views, firing)
