"""A step of a workflow: its name, its dependencies, its policy, and the action of its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from promptops_flows.steps.context import StepContext, StepError, StepOutput
from promptops_flows.steps.field_schemas import KindSchema
from promptops_flows.steps.fields import Fields
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.policy import ORDINARY, StepPolicy
from promptops_flows.templates.bounded import TextTooLongError, render_step_bounded
from promptops_flows.templates.language import TemplateValueError
from promptops_flows.templates.references import MissingOutputError, Scope, names_in
from promptops_providers.protocol import PromptVersion


@dataclass(frozen=True, slots=True)
class ParseContext:
    """The context for parsing an action. A model's provider has to be one of `providers`."""

    providers: tuple[str, ...]
    parse_action: Callable[[Fields, ParseContext], Action]


class Template(NamedTuple):
    """A template of a step, in the field of this name."""

    field: str
    text: str


class Action(ABC):
    """What a step of one kind does. A kind is a frozen dataclass in a file of its own and a line in
    `registry`."""

    __slots__ = ()

    type: ClassVar[str]
    schema: ClassVar[KindSchema]

    @classmethod
    @abstractmethod
    def parse(cls, fields: Fields, context: ParseContext) -> Self:
        """Read and check the fields; raises `DefinitionError`."""

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The models to try, in this order."""
        return ()

    @property
    def providers(self) -> frozenset[str]:
        """The names of all providers that the action may use."""
        return frozenset(choice.provider for choice in self.models)

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        """The prompts of the registry that it uses, once they are resolved."""
        return ()

    def templates(self) -> Iterable[Template]:
        """The templates in its fields."""
        return ()

    def own_names(self) -> frozenset[str]:
        """Names of variables that the action sets itself."""
        return frozenset()

    def sides(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the steps that run only if this step takes that side."""
        return {}

    def inputs(self, scope: Scope) -> Any:
        """Return what determines the output, as JSON; the cache key is made from it."""
        names = [name for template in self.templates() for name in names_in(template.text)]
        return [scope.input, {name: scope.get(name) for name in names}]

    @abstractmethod
    async def run(self, scope: Scope, context: StepContext) -> StepOutput:
        """Execute the action and return its output; raises `StepError`."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on a step: it runs only if the branch at that position, counted from 0, took this
    side."""

    branch: int
    side: str


@dataclass(frozen=True, slots=True)
class Step:
    """`name` may be empty. `needs` are the positions, counted from 0, of the steps that run before
    it; their outputs are its input."""

    name: str
    action: Action
    needs: tuple[int, ...] = ()
    gates: tuple[Gate, ...] = ()
    policy: StepPolicy = ORDINARY

    @property
    def type(self) -> str:
        return self.action.type


def rendered(template: str, scope: Scope) -> str:
    """Render the template with the values of the scope; raises `StepError`."""
    try:
        return render_step_bounded(template, scope)
    except (TemplateValueError, TextTooLongError, MissingOutputError) as error:
        raise StepError(str(error)) from error
