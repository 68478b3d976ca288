"""Builds the services of prompts, their versions and their promotion."""

from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.definitions.composition import Definitions
from promptops_platform.prompts.admission import PromptAdmission
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.promotion import Promotion
from promptops_platform.prompts.service import PromptService, RunningRollouts
from promptops_platform.workspaces.composition import Workspaces


class Prompts:
    """`rollouts` ends a prompt's rollout; it is implemented by a room above this one."""

    def __init__(
        self,
        access: Access,
        workspaces: Workspaces,
        definitions: Definitions,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
        *,
        rollouts: RunningRollouts,
    ) -> None:
        self.admission = PromptAdmission(workspaces.environments, definitions.gate)
        self.history = ServedHistory(clock)
        self.service = PromptService(
            grants=access.grants,
            admission=self.admission,
            history=self.history,
            rollouts=rollouts,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.promotion = Promotion(
            prompts=self.service,
            environments=workspaces.environments,
            admission=self.admission,
            history=self.history,
            audit=audit,
            changes=changes.log,
            clock=clock,
        )
        self.services = (self.service, self.promotion)
