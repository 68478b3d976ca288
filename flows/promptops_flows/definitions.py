"""What a workflow says: its steps, read from the JSON under which they are stored.

Fields that stand beside the known ones are ignored here and kept by whoever stores the JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from promptops_providers.registry import DEFAULT_PROVIDER, PROVIDER_NAMES

TransformOp = Literal["upper", "lower", "trim"]
STEP_TYPES: tuple[str, ...] = ("render", "model", "transform")
TRANSFORM_OPS: tuple[str, ...] = ("upper", "lower", "trim")
MAX_STEPS = 200
MAX_TEMPLATE_CHARACTERS = 1_048_576
MAX_NAME_CHARACTERS = 200
MAX_MODEL_CHARACTERS = 200
MAX_FALLBACKS = 5

_SHOWN_CHARACTERS = 40


class DefinitionError(ValueError):
    """A definition that can't run; one sentence names step, field, value and remedy."""


@dataclass(frozen=True, slots=True)
class RenderStep:
    name: str
    template: str
    type: Literal["render"] = "render"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`model` is empty when the provider's default is meant."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class ModelStep:
    """`model` is empty when the provider's default is meant; `fallbacks` are tried in their order
    when the provider fails."""

    name: str
    provider: str
    model: str
    type: Literal["model"] = "model"
    fallbacks: tuple[ModelChoice, ...] = ()

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """What is tried, in this order."""
        return (ModelChoice(self.provider, self.model), *self.fallbacks)


@dataclass(frozen=True, slots=True)
class TransformStep:
    name: str
    op: TransformOp
    type: Literal["transform"] = "transform"


Step = RenderStep | ModelStep | TransformStep


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """Steps in the order in which they run; `name` of a step may be empty or stand twice."""

    steps: tuple[Step, ...]

    @property
    def providers(self) -> frozenset[str]:
        """The names of all providers that the steps may use."""
        return frozenset(
            choice.provider
            for step in self.steps
            if isinstance(step, ModelStep)
            for choice in step.choices
        )


def parse_steps(raw: object, connections: Collection[str] = ()) -> WorkflowDefinition:
    """Read steps from decoded JSON; raises `DefinitionError` at the first thing that is wrong.

    A model step's provider is a built-in one or one of `connections`, by name.
    """
    if not isinstance(raw, list):
        raise DefinitionError(f"steps is {_kind(raw)}, give a list of step objects")
    if len(raw) > MAX_STEPS:
        raise DefinitionError(
            f"steps holds {len(raw)} steps, at most {MAX_STEPS} are allowed, split the workflow"
        )
    providers = tuple(dict.fromkeys((*PROVIDER_NAMES, *connections)))
    return WorkflowDefinition(
        tuple(_parse_step(item, at, providers) for at, item in enumerate(raw, 1))
    )


def _parse_step(item: object, index: int, providers: tuple[str, ...]) -> Step:
    if not isinstance(item, dict):
        raise DefinitionError(f"step {index} is {_kind(item)}, give an object with name and type")
    fields = _Fields.of_step(cast("Mapping[str, object]", item), index)
    kind = fields.choice("type", STEP_TYPES)
    if kind == "render":
        return RenderStep(fields.name, fields.text("template", MAX_TEMPLATE_CHARACTERS))
    if kind == "transform":
        op = fields.choice("op", TRANSFORM_OPS)
        return TransformStep(fields.name, cast("TransformOp", op))
    provider = fields.choice("provider", providers, default=DEFAULT_PROVIDER)
    model = fields.text("model", MAX_MODEL_CHARACTERS)
    fallbacks = tuple(
        ModelChoice(each.choice("provider", providers), each.text("model", MAX_MODEL_CHARACTERS))
        for each in fields.objects("fallbacks", MAX_FALLBACKS)
    )
    return ModelStep(fields.name, provider, model, fallbacks=fallbacks)


class _Fields:
    """Typed access to the fields of a step, or of an object in it; complaints say `where`."""

    def __init__(self, fields: Mapping[str, object], where: str) -> None:
        self._fields = fields
        self._where = where
        self.name = ""

    @classmethod
    def of_step(cls, fields: Mapping[str, object], index: int) -> _Fields:
        """The fields of a step, with its `name`."""
        found = cls(fields, f"step {index}")
        found.name = found.text("name", MAX_NAME_CHARACTERS).strip()
        if found.name:
            found._where = f"step {index} ({_shown(found.name)})"
        return found

    def text(self, field: str, limit: int) -> str:
        """The field's text; empty when it is missing or null."""
        value = self._fields.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._error(f"{field} is {_kind(value)}, give a string")
        if len(value) > limit:
            raise self._error(
                f"{field} has {len(value):,} characters, at most {limit:,} are allowed, shorten it"
            )
        return value

    def choice(self, field: str, known: tuple[str, ...], default: str | None = None) -> str:
        """The field's value, one of `known`; an empty or missing one is `default`, if there is."""
        options = ", ".join(known)
        value = self._fields.get(field)
        if value in (None, "") and default is not None:
            return default
        if value is None:
            raise self._error(f"{field} is missing, use one of {options}")
        if not isinstance(value, str):
            raise self._error(f"{field} is {_kind(value)}, use one of {options}")
        if value not in known:
            raise self._error(f"{field} '{_shown(value)}' is unknown, use one of {options}")
        return value

    def objects(self, field: str, limit: int) -> list[_Fields]:
        """The fields of each object in the list; none when it is missing or null."""
        value = self._fields.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error(f"{field} is {_kind(value)}, give a list of objects")
        if len(value) > limit:
            raise self._error(f"{field} holds {len(value)} objects, at most {limit} are allowed")
        for item in value:
            if not isinstance(item, dict):
                raise self._error(f"{field} holds {_kind(item)}, give a list of objects")
        where = f"{self._where}: {field}"
        return [_Fields(item, f"{where} {number}") for number, item in enumerate(value, 1)]

    def _error(self, complaint: str) -> DefinitionError:
        return DefinitionError(f"{self._where}: {complaint}")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return f"the text '{_shown(value)}'"
    return "a list" if isinstance(value, list) else "an object"


def _shown(text: str) -> str:
    """A value as a sentence may hold it: on one line, printable, cut."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)
