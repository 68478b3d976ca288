"""Builds the workflows room: workflows and their runs."""

from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.composition import Definitions
from promptops_platform.execution.composition import Execution
from promptops_platform.providers.composition import Providers
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.serving.composition import Serving
from promptops_platform.workflows.planning import SOURCE, WorkflowPlanner
from promptops_platform.workflows.running import WorkflowRuns
from promptops_platform.workflows.service import WorkflowService, WorkflowVersions
from promptops_platform.workflows.sources import AgentSource
from promptops_platform.workflows.uses import WorkflowSteps
from promptops_platform.workspaces.composition import Workspaces


class Workflows:
    """Definitions, and the services that run them."""

    def __init__(
        self,
        database: Database,
        access: Access,
        workspaces: Workspaces,
        definitions: Definitions,
        providers: Providers,
        serving: Serving,
        runlog: RunLogRoom,
        execution: Execution,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
        *,
        agents: AgentSource,
    ) -> None:
        definitions.uses.append(WorkflowSteps())
        self.service = WorkflowService(
            providers.lookup,
            grants=access.grants,
            states=definitions.states,
            gate=definitions.gate,
            uses=definitions.uses,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.versions = WorkflowVersions(
            self.service,
            environments=workspaces.environments,
            gate=definitions.gate,
            changes=changes.log,
            clock=clock,
        )
        self.planner = planner = WorkflowPlanner(
            database=database,
            workflows=self.service,
            versions=self.versions,
            workspaces=workspaces.service,
            prompts=serving.resolver,
            agents=agents,
        )
        self.runs = WorkflowRuns(
            planner=planner,
            executor=execution.executor,
            detached=execution.detached,
            runs=runlog.log,
        )
        execution.subjects[SOURCE] = planner
        self.services = (self.service, self.versions, self.runs)
