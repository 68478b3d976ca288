"""Sets the state in Prefect of a due flow run that isn't executed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from promptops_flows.engine.prefect_api import PrefectApi, is_missing
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.protocol.deployment_messages import FlowRunAnswer

# With this name Prefect doesn't mark the flow run as late, nor delete it when its deployment
# changes.
WAITING = "AwaitingConcurrencySlot"


class FlowRunAnswers:
    def __init__(self, api: PrefectApi) -> None:
        self._api = api

    async def carry_out(self, answer: FlowRunAnswer) -> None:
        """Set the flow run's state. Does nothing if it is gone or no longer waits, since another
        replica may have answered differently."""
        body = {"state": _state(answer), "force": True}
        url = f"/flow_runs/{answer.flow_run_id}"
        try:
            if (await self._api.get(url))["state_type"] == "SCHEDULED":
                await self._api.post(f"{url}/set_state", body)
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise


def _state(answer: FlowRunAnswer) -> dict[str, Any]:
    message = printable(answer.message, MESSAGE_CHARACTERS)
    if answer.outcome == "done":
        return {"type": "COMPLETED", "name": "Completed", "message": message}
    if answer.outcome == "refused":
        return {"type": "CANCELLED", "name": "Cancelled", "message": message}
    at = datetime.now(UTC) + timedelta(seconds=answer.seconds)
    details = {"scheduled_time": at.isoformat()}
    return {"type": "SCHEDULED", "name": WAITING, "message": message, "state_details": details}
