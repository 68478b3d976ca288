"""Builds what serves prompts to clients."""

from promptops_platform.access.composition import Access
from promptops_platform.changes.composition import Changes
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts.composition import Prompts
from promptops_platform.rollouts.composition import Rollouts
from promptops_platform.serving.environments import EnvironmentAnswers
from promptops_platform.serving.prompt_resolver import PromptResolver
from promptops_platform.serving.snapshot import Snapshot


class Serving:
    """The snapshot follows the feed."""

    def __init__(
        self,
        database: Database,
        access: Access,
        prompts: Prompts,
        rollouts: Rollouts,
        changes: Changes,
    ) -> None:
        self.resolver = PromptResolver(prompts.service, rollouts.service)
        self.snapshot = Snapshot(database, prompts.service, rollouts.service, access.grants)
        self.environment_answers = EnvironmentAnswers(self.snapshot, access.grants, changes.feed)
        self.services = (self.environment_answers,)
