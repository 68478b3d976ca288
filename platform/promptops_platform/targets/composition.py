"""Builds what schedules and triggers run."""

from promptops_platform.agents.composition import Agents
from promptops_platform.db.unit_of_work import Database
from promptops_platform.targets.run_targets import RunTargets
from promptops_platform.workflows.composition import Workflows


class Targets:
    """Shared by all rooms that start runs by themselves."""

    def __init__(self, database: Database, agents: Agents, workflows: Workflows) -> None:
        self.runs = RunTargets(
            database=database,
            agents=agents.service,
            workflows=workflows.service,
            agent_planner=agents.planner,
            workflow_planner=workflows.planner,
            agent_runs=agents.runs,
            workflow_runs=workflows.runs,
        )
