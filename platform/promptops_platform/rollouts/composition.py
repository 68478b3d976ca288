"""Rollouts, connected."""

from promptops_platform.access.composition import Access
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.prompts.composition import Prompts
from promptops_platform.rollouts.audit import RolloutAudit
from promptops_platform.rollouts.listing import RolloutList
from promptops_platform.rollouts.service import RolloutService


class Rollouts:
    """The rollouts of prompts. `ending.py` ends a rollout along with its prompt."""

    def __init__(
        self,
        access: Access,
        prompts: Prompts,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
    ) -> None:
        self.service = RolloutService(
            prompts=prompts.service,
            admission=prompts.admission,
            history=prompts.history,
            audit=RolloutAudit(audit),
            changes=changes.log,
            clock=clock,
        )
        self.listing = RolloutList(access.grants)
        self.services = (self.service, self.listing)
