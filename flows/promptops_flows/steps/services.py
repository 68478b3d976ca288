"""What the steps of all runs share."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptops_flows.steps.context import Evaluates
from promptops_flows.steps.http_tools import ToolClient
from promptops_flows.steps.output_cache import OutputCache
from promptops_flows.steps.slots import Slots
from promptops_providers.gateway import ModelGateway


@dataclass(frozen=True, slots=True)
class StepServices:
    """Created once for the lifetime of the engine."""

    gateway: ModelGateway
    http: ToolClient
    expressions: Evaluates
    cache: OutputCache = field(default_factory=OutputCache)
    slots: Slots = field(default_factory=Slots)
