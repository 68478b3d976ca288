"""Builds the approvals room."""

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.composition import Access
from promptops_platform.approvals.asking import TIMER, AskedApprovals
from promptops_platform.approvals.deciders import Deciders
from promptops_platform.approvals.deciding import ApprovalDecisions
from promptops_platform.approvals.links import ApprovalLinks
from promptops_platform.approvals.messages import ApprovalMessages
from promptops_platform.approvals.reminding import TIMER as REMINDER_TIMER
from promptops_platform.approvals.reminding import Reminders
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.audit.service import AuditTrail
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.execution.composition import Execution
from promptops_platform.providers.composition import Providers
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.settings import Settings


class Approvals:
    """Registers itself with the execution, which reports what suspended runs wait for."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        providers: Providers,
        execution: Execution,
        deployments: DeploymentsRoom,
        audit: AuditTrail,
        clock: Clock,
        *,
        text_policy: TextPolicy,
    ) -> None:
        deciders = Deciders(access.grants)
        self.messages = ApprovalMessages(providers.secret_keys, StoredTexts(text_policy))
        self.service = ApprovalService(
            grants=access.grants, deciders=deciders, messages=self.messages
        )
        self.reminders = Reminders(deployments.timers, clock)
        self.decisions = ApprovalDecisions(
            database=database,
            approvals=self.service,
            deciders=deciders,
            messages=self.messages,
            waiting=execution.waiting,
            timers=deployments.timers,
            reminders=self.reminders,
            audit=audit,
            clock=clock,
        )
        execution.suspensions.records = AskedApprovals(
            self.messages, deployments.timers, self.reminders, clock
        )
        deployments.kinds.add_timer(TIMER, self.decisions.deadline)
        deployments.kinds.add_timer(REMINDER_TIMER, self.reminders.fire)
        self.links = ApprovalLinks(
            database=database,
            approvals=self.service,
            deciders=deciders,
            decisions=self.decisions,
            audit=audit,
            clock=clock,
            base_url=settings.console_url,
        )
        self.services = (self.service, self.decisions, self.links)
