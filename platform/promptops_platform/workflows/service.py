"""The service of workflow definitions."""

from collections.abc import Iterator, Mapping
from typing import Any

from promptops_flows.definitions.variables import unfilled_variables
from promptops_flows.definitions.workflow import WorkflowReading, read_workflow
from promptops_flows.json_schemas import SchemaRefusedError, check_schema
from promptops_flows.steps.fields import DefinitionError, described
from promptops_flows.steps.models import Connection
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.kinds import Kind
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.definitions.states import ServedState
from promptops_platform.definitions.versions import VersionService
from promptops_platform.errors import BadRequest
from promptops_platform.execution.pool_names import POOL, POOL_RULE
from promptops_platform.prompts.references import references
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.workflows import repository
from promptops_platform.workflows.schemas import Workflow
from promptops_platform.workflows.step_targets import environments_of
from promptops_platform.workflows.tables import WorkflowRow

WORKFLOWS: Kind[WorkflowRow] = Kind(
    noun="workflow",
    table=WorkflowRow,
    defaults={
        "steps": [],
        "input_schema": {},
        "defaults": {},
        "timeout": "",
        "output": "",
        "strict": False,
        "pool": "",
    },
    read=Permission.WORKFLOWS_READ,
    write=Permission.WORKFLOWS_WRITE,
    run=Permission.WORKFLOWS_RUN,
    saved=ChangeType.WORKFLOW_SAVED,
    published=ChangeType.WORKFLOW_PUBLISHED,
    deleted=ChangeType.WORKFLOW_DELETED,
)


class WorkflowService(DefinitionService[WorkflowRow]):
    """Saves and finds workflows."""

    def __init__(self, providers: ProviderLookup, **rest: Any) -> None:
        super().__init__(WORKFLOWS, **rest)
        self._providers = providers

    def answer(self, row: WorkflowRow, state: ServedState, actor: Actor) -> Workflow:
        """Return a workflow in the form for this caller."""
        return Workflow.shown(row, state, actor)

    def check(self, workspace_id: str, content: Mapping[str, Any], *, actor: Actor) -> None:
        """Raises BadRequest for steps that can't run, naming step and remedy, and for an invalid
        schema."""
        reading = self._read(workspace_id, content)
        if reading.plan is None:
            raise BadRequest(str(reading.problems[0])) from reading.problems[0]
        try:
            check_schema(content["input_schema"])
        except SchemaRefusedError as error:
            raise BadRequest(f"input_schema: {error}") from error

    def warnings(self, workspace_id: str, content: Mapping[str, Any]) -> list[str]:
        """Return what has no effect in a valid definition, and which placeholders remain unfilled
        if the workflow declares its variables."""
        return _warnings(self._read(workspace_id, content), content)

    def environments_of(self, content: Mapping[str, Any]) -> frozenset[str]:
        """Return the environments whose prompts, agents and workflows its steps use."""
        return environments_of(content["steps"])

    async def using(
        self, transaction: Transaction, workspace_id: str, key: str, env: str, *, actor: Actor
    ) -> list[tuple[WorkflowRow, list[int]]]:
        """Return the workflows that use this prompt, by key, and the positions of the steps that
        do, counted from 1; without those that use environments which are closed to the caller."""
        rows = await repository.with_prompts(transaction.session, workspace_id)
        visible = [row for row in rows if self.may_see(actor, self.content_of(row))]
        places = [(row, _steps_with(row, key, env)) for row in visible]
        return [(row, steps) for row, steps in places if steps]

    def validate(
        self, workspace_id: str, definition: Mapping[str, Any], *, actor: Actor
    ) -> tuple[list[DefinitionError], list[str]]:
        """Return what keeps a definition from running, and warnings; missing fields have the
        defaults of a new workflow. Raises Forbidden."""
        self._grants.require(actor, Permission.WORKFLOWS_READ, workspace_id)
        content = {**WORKFLOWS.defaults, **definition}
        wrong = list(_wrong_fields(content))
        content |= {str(error.field): WORKFLOWS.defaults[str(error.field)] for error in wrong}
        reading = self._read(workspace_id, content)
        return [*reading.problems, *wrong], _warnings(reading, content)

    def parsed(self, row: WorkflowRow) -> WorkflowPlan:
        """Return the parsed plan of a workflow, without what its steps refer to; raises BadRequest
        for a step that can't run."""
        reading = self._read(row.workspace_id, self.content_of(row))
        if reading.plan is None:
            raise BadRequest(str(reading.problems[0])) from reading.problems[0]
        return reading.plan

    def connections(
        self, workspace_id: str, plan: WorkflowPlan, *, base_url: str | None, actor: Actor
    ) -> tuple[Connection, ...]:
        """Return the workspace's connections that the plan uses, for a run with the caller's
        `base_url`.

        Raises BadRequest for an address that is not allowed, and SecretUnreadable.
        """
        if base_url:
            self._providers.check_base_url(base_url, plan.providers)
        targets = self._providers.connected(workspace_id, plan.providers, actor=actor)
        return tuple(Connection.of(target) for target in targets)

    def _read(self, workspace_id: str, content: Mapping[str, Any]) -> WorkflowReading:
        return read_workflow(content, self._providers.names([workspace_id]))


class WorkflowVersions(VersionService[WorkflowRow]):
    """Creates versions of workflows and serves them."""


def _steps_with(row: WorkflowRow, key: str, env: str) -> list[int]:
    return [
        place
        for place, step in enumerate(row.steps, 1)
        if any((reference.key, reference.env) == (key, env) for reference in references(step))
    ]


def _warnings(reading: WorkflowReading, content: Mapping[str, Any]) -> list[str]:
    warnings = list(reading.warnings)
    schema = content["input_schema"]
    if reading.plan is not None and isinstance(schema.get("properties"), dict):
        filled = {*schema["properties"], *content["defaults"]}
        warnings += unfilled_variables(reading.plan, filled)
    return warnings


def _wrong_fields(content: Mapping[str, Any]) -> Iterator[DefinitionError]:
    """Yield what is wrong besides steps, output and timeout."""
    for name in ("input_schema", "defaults"):
        if not isinstance(content[name], dict):
            sentence = f"{name} is {described(content[name])}, give an object; {{}} for none"
            yield DefinitionError(sentence, field=name)
        elif name == "input_schema":
            try:
                check_schema(content[name])
            except SchemaRefusedError as error:
                yield DefinitionError(f"{name}: {error}", field=name)
    if not isinstance(content["strict"], bool):
        sentence = f"strict is {described(content['strict'])}, give true or false"
        yield DefinitionError(sentence, field="strict")
    if not isinstance(content["pool"], str) or not POOL.fullmatch(content["pool"]):
        sentence = f"pool is {described(content['pool'])}, give {POOL_RULE}"
        yield DefinitionError(sentence, field="pool")
