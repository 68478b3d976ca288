"""Builds the agents room: agents, their conversations and their runs."""

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.composition import Access
from promptops_platform.agents.conversations import ConversationService
from promptops_platform.agents.memory import ConversationMemory
from promptops_platform.agents.planning import SOURCE as AGENT_SOURCE
from promptops_platform.agents.planning import AgentPlanner
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.service import AgentService, AgentVersions
from promptops_platform.agents.tool_trial import ToolTrials
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.composition import Definitions
from promptops_platform.execution.composition import Execution
from promptops_platform.execution.places import Places
from promptops_platform.providers.composition import Providers
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.serving.composition import Serving
from promptops_platform.settings import Settings
from promptops_platform.workspaces.composition import Workspaces


class Agents:
    """Definitions, and the services that run them. `places` are the playground's, which tool trials
    share."""

    def __init__(
        self,
        settings: Settings,
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
        text_policy: TextPolicy,
        places: Places,
    ) -> None:
        self.service = AgentService(
            providers.lookup,
            grants=access.grants,
            states=definitions.states,
            gate=definitions.gate,
            uses=definitions.uses,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.versions = AgentVersions(
            self.service,
            environments=workspaces.environments,
            gate=definitions.gate,
            changes=changes.log,
            clock=clock,
        )
        self.conversations = ConversationService(
            agents=self.service,
            memory=ConversationMemory(text_policy, providers.secret_keys),
            runs=runlog.log,
            audit=audit,
            clock=clock,
        )
        self.planner = AgentPlanner(
            agents=self.service,
            versions=self.versions,
            prompts=serving.resolver,
            conversations=self.conversations,
            workspaces=workspaces.service,
        )
        self.runs = AgentRuns(
            database=database,
            planner=self.planner,
            executor=execution.executor,
            detached=execution.detached,
        )
        execution.subjects[AGENT_SOURCE] = self.planner
        self.tool_trials = ToolTrials(
            database=database,
            agents=self.service,
            policy=settings.tool_policy,
            places=places,
        )
        self.services = (
            self.service,
            self.versions,
            self.conversations,
            self.runs,
            self.tool_trials,
        )
