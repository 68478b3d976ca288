"""Builds the change requests room."""

from promptops_platform.access.composition import Access
from promptops_platform.agents.composition import Agents
from promptops_platform.audit.service import AuditTrail
from promptops_platform.change_requests.applying import Applying
from promptops_platform.change_requests.definition_changes import DefinitionChanges
from promptops_platform.change_requests.journal import RequestJournal
from promptops_platform.change_requests.prompt_changes import PromptChanges
from promptops_platform.change_requests.proposals import Proposals
from promptops_platform.change_requests.rights import Rights
from promptops_platform.change_requests.scheduling import RequestSchedule
from promptops_platform.change_requests.served import GuardedKind
from promptops_platform.change_requests.service import ChangeRequestService
from promptops_platform.change_requests.tables import TIMER
from promptops_platform.change_requests.views import RequestViews
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.composition import Definitions
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.prompts.composition import Prompts
from promptops_platform.rollouts.composition import Rollouts
from promptops_platform.workflows.composition import Workflows
from promptops_platform.workspaces.composition import Workspaces


class ChangeRequests:
    """Handles changes that need approvals."""

    def __init__(
        self,
        database: Database,
        access: Access,
        audit: AuditTrail,
        changes: Changes,
        workspaces: Workspaces,
        definitions: Definitions,
        prompts: Prompts,
        rollouts: Rollouts,
        agents: Agents,
        workflows: Workflows,
        deployments: DeploymentsRoom,
        clock: Clock,
    ) -> None:
        kinds: dict[str, GuardedKind] = {
            "prompt": PromptChanges(prompts.service, prompts.promotion, rollouts.service),
            "agent": DefinitionChanges(agents.service, agents.versions),
            "workflow": DefinitionChanges(workflows.service, workflows.versions),
        }
        rights = Rights(access.grants, kinds)
        views = RequestViews(kinds, rights, workspaces.environments)
        journal = RequestJournal(audit, changes.log, clock)
        self.proposals = Proposals(
            database=database,
            kinds=kinds,
            gate=definitions.gate,
            workspaces=workspaces.service,
            views=views,
            journal=journal,
            clock=clock,
        )
        self.service = ChangeRequestService(
            grants=access.grants,
            kinds=kinds,
            rights=rights,
            workspaces=workspaces.service,
            environments=workspaces.environments,
            proposals=self.proposals,
            views=views,
            journal=journal,
            timers=deployments.timers,
            clock=clock,
        )
        self.applying = Applying(
            requests=self.service,
            kinds=kinds,
            rights=rights,
            gate=definitions.gate,
            views=views,
            journal=journal,
        )
        self.schedule = RequestSchedule(
            requests=self.service,
            applying=self.applying,
            proposals=self.proposals,
            rights=rights,
            timers=deployments.timers,
            journal=journal,
            clock=clock,
        )
        deployments.kinds.add_timer(TIMER, self.schedule.on_time)
        self.services = (self.proposals, self.service, self.applying, self.schedule)
