"""Restores the end state of a flow run after a button in Prefect had no effect."""

from __future__ import annotations

import logging
import re

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from promptops_flows.engine.logs import log
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable

NOT_RETRIED = "Retry was pressed, and PromptOps did not start the run again"
_EARLIER_NOTE = re.compile(r"(?:^|; )(?:Cancel|Retry) was pressed.*", re.DOTALL)


async def restore_end(client: PrefectClient, flow_run: FlowRun, note: str) -> None:
    """Show the last end state of the flow run with the note; raises the errors of Prefect's
    client."""
    try:
        states = await client.read_flow_run_states(flow_run.id)
        state = _end_of(states, note)
        await client.set_flow_run_state(flow_run.id, state, force=True)
    except ObjectNotFound:
        return  # deleted in Prefect
    fields = {"flow_run_id": str(flow_run.id), "state": state.name, "note": note}
    log(logging.INFO, "buttons.nothing_to_do", **fields)


def _end_of(states: list[State], note: str) -> State:
    """The last end state, with the note."""
    ends = [state for state in states if state.is_final()]
    if not ends:
        return Cancelled(message=note)
    last = max(ends, key=lambda state: state.timestamp)
    before = _EARLIER_NOTE.sub("", last.message or "")
    message = f"{before}; {note}" if before else note
    return State(type=last.type, name=last.name, message=printable(message, MESSAGE_CHARACTERS))
