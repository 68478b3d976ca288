"""Sealing and unsealing the plan and the checkpoints of a run."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from promptops_flows.protocol.engine_client import Checkpoint, RunRequest
from promptops_flows.protocol.engine_protocol import EngineProtocolError, decode, encode
from promptops_flows.protocol.shapes import ShapeError, build, fields_of
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.sealing import Sealer

OF_ANOTHER_RELEASE = "it was stored by another release of the platform"


class Unreadable(Exception):
    """A plan or a checkpoint that this release can't use; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """Everything that a run needs to be executed, except connections, which are looked up each
    time.

    `kept` is what the follower of the run needs, see `RunFollower.kept`. `lacks_credentials` means
    that the caller sent a key or an address that is not stored.
    """

    request: RunRequest
    caller_id: str
    kept: dict[str, Any] | None = field(default=None, repr=False)
    lacks_credentials: bool = False

    @property
    def has_approvals(self) -> bool:
        """Whether the run may wait for approvals."""
        plan = self.request.plan
        return isinstance(plan, WorkflowPlan) and bool(plan.approvals)

    @property
    def without_credentials(self) -> "StoredPlan":
        """Return the plan to keep after the run has ended."""
        request = self.request
        if not request.api_key and not request.base_url:
            return self
        bare = replace(request, api_key=None, base_url=None)
        return replace(self, request=bare, lacks_credentials=True)

    def sealed(self, sealer: Sealer) -> str:
        """Return the text to store for this run."""
        request = replace(self.request, connections=(), checkpoints=(), receiver=None)
        whole = {
            "request": encode(request).decode("ascii"),
            "caller_id": self.caller_id,
            "kept": self.kept,
            "lacks_credentials": self.lacks_credentials,
        }
        return sealer.seal(json.dumps(whole), place_of(request.run_id))

    @classmethod
    def unsealed(cls, sealed: str, run_id: str, sealer: Sealer) -> "StoredPlan":
        """Raises Unsealable and Unreadable."""
        whole = json.loads(sealer.unseal(sealed, place_of(run_id)))
        try:
            request = decode(whole.pop("request").encode("ascii"))
        except EngineProtocolError as error:
            raise Unreadable(OF_ANOTHER_RELEASE) from error
        if not isinstance(request, RunRequest):
            raise Unreadable(OF_ANOTHER_RELEASE)
        return cls(request=request, **whole)


def sealed_checkpoint(checkpoint: Checkpoint, run_id: str, sealer: Sealer) -> str:
    """Return the text to store for this step."""
    text = json.dumps(fields_of(checkpoint), default=fields_of)
    return sealer.seal(text, place_of(run_id, checkpoint.index))


def unsealed_checkpoint(sealed: str, run_id: str, position: int, sealer: Sealer) -> Checkpoint:
    """Raises Unsealable and Unreadable."""
    fields = json.loads(sealer.unseal(sealed, place_of(run_id, position)))
    try:
        return build(Checkpoint, fields)
    except ShapeError as error:
        raise Unreadable(OF_ANOTHER_RELEASE) from error


def place_of(run_id: str, position: int = 0) -> str:
    """Return the context that a sealed text is bound to; position 0 is the plan."""
    return f"run:{run_id}:{position}"
