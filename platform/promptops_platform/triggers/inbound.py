"""Inbound webhooks: signed messages that fire a trigger.

The route reveals nothing to callers without a secret: an unknown address, an invalid or expired
signature and a disabled trigger get the same message, after the same work.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog

from promptops_flows.steps.standard_webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    is_signed,
    new_secret,
)
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import BadRequest, NotFound, SecretUnreadable
from promptops_platform.field_types import UNPRINTABLE
from promptops_platform.sealing import SecretKeys, new_key
from promptops_platform.triggers import repository
from promptops_platform.triggers.events import WEBHOOK, Event
from promptops_platform.triggers.firing import FiringRecorder
from promptops_platform.triggers.mirror import TriggerMirror, is_active
from promptops_platform.triggers.secrets import TriggerSecrets
from promptops_platform.triggers.tables import TriggerRow

log = structlog.get_logger(__name__)

REFUSED = "no webhook takes this message: check its address, its signature and its time"
# Messages that are older, or newer because of a clock that is ahead, are refused.
REPLAY_SECONDS = 300
LONGEST_MESSAGE_ID = 200
LONGEST_TIME = 12


class InboundWebhooks:
    """Receives messages. `receive` needs no account: the signature authenticates the sender."""

    def __init__(
        self,
        *,
        database: Database,
        mirror: TriggerMirror,
        secrets: TriggerSecrets,
        recorder: FiringRecorder,
        clock: Clock,
    ) -> None:
        self._database = database
        self._mirror = mirror
        self._secrets = secrets
        self._recorder = recorder
        self._clock = clock

    async def receive(self, hook: str, headers: Mapping[str, str], body: bytes) -> str:
        """Fire the trigger of that address; returns the id of the firing, which is the same for a
        repeated message. Raises NotFound, and BadRequest for a signed body that can't be read."""
        message_id = headers.get(ID_HEADER, "")
        trigger = self._admitted(hook, headers, body)
        if trigger is None:
            raise NotFound(REFUSED)
        fields = {"body": await asyncio.to_thread(_read, body)}
        event = Event(WEBHOOK, message_id, trigger.workspace_id, fields)
        async with self._database.write() as transaction:
            await self._recorder.write(transaction, [trigger], event)
            firing = await repository.find_firing(transaction.session, trigger.id, message_id)
        if firing is None:
            # Disabled or deleted in the meantime.
            raise NotFound(REFUSED)
        return firing.id

    def _admitted(self, hook: str, headers: Mapping[str, str], body: bytes) -> TriggerRow | None:
        """Return the trigger that accepts the message."""
        trigger = self._mirror.find_hook(hook)
        is_authentic = self._is_signed(trigger, headers, body)
        is_fresh = self._is_fresh(headers.get(TIME_HEADER, ""))
        message_id = headers.get(ID_HEADER, "")
        is_named = 0 < len(message_id) <= LONGEST_MESSAGE_ID and not UNPRINTABLE.search(message_id)
        admitted = is_authentic and is_fresh and is_named
        return trigger if trigger is not None and admitted and is_active(trigger) else None

    def _is_signed(
        self, trigger: TriggerRow | None, headers: Mapping[str, str], body: bytes
    ) -> bool:
        secrets, signed = (self._secrets, trigger) if trigger is not None else self._decoy
        try:
            keys = secrets.valid_secrets(signed)
        except SecretUnreadable as error:
            log.warning("webhook_secret_unreadable", reason=error.sentence)
            keys = (new_secret(),)
        message_id, time = headers.get(ID_HEADER, ""), _seconds(headers.get(TIME_HEADER, ""))
        return is_signed(headers.get(SIGNATURE_HEADER, ""), keys, message_id, time, body)

    @cached_property
    def _decoy(self) -> tuple[TriggerSecrets, TriggerRow]:
        """Return a substitute for a trigger that does not exist, so that the check takes equally
        long."""
        secrets = TriggerSecrets(SecretKeys(Path(), new_key()), self._clock)
        row = TriggerRow(id="decoy", workspace_id="decoy", previous_until=None)
        secrets.make(row)
        return secrets, row

    def _is_fresh(self, time: str) -> bool:
        return abs(self._clock.now().timestamp() - _seconds(time)) <= REPLAY_SECONDS


def _seconds(time: str) -> int:
    """Return the seconds since 1970; 0 for an invalid value."""
    return int(time) if time.isascii() and time.isdigit() and len(time) <= LONGEST_TIME else 0


def _read(body: bytes) -> Any:
    """Parse JSON or text; raises BadRequest for anything else."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the body is not UTF-8; send JSON or text") from error
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply; flatten it") from error
