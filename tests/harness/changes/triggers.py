"""Triggers and their deliveries."""

from harness.changes.rows import Call, row
from harness.people import sent
from harness.places import TRIGGER
from harness.platform import RunningPlatform, new_key
from harness.triggers import failed_delivery


@row("POST", "/api/triggers", "create")
async def _create_trigger(_platform: RunningPlatform) -> Call:
    return Call("/api/triggers", {"key": new_key(), **TRIGGER})


@row("PUT", "/api/triggers/{trigger_id}", "update")
async def _update_trigger(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}", {"enabled": False})


@row("POST", "/api/triggers/{trigger_id}/rotate-secret", "rotate")
async def _rotate_secret(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}/rotate-secret")


@row("DELETE", "/api/triggers/{trigger_id}", "delete")
async def _delete_trigger(platform: RunningPlatform) -> Call:
    return Call(f"/api/triggers/{await trigger(platform)}")


@row("POST", "/api/triggers/{trigger_id}/deliveries/{delivery_id}/resend", "resend")
async def _resend(platform: RunningPlatform) -> Call:
    made = await trigger(platform)
    delivery = await failed_delivery(platform, made)
    return Call(f"/api/triggers/{made}/deliveries/{delivery}/resend", status=202)


async def trigger(platform: RunningPlatform) -> str:
    """The id of a new trigger."""
    body = {"key": new_key(), **TRIGGER}
    return str(sent(await platform.http.post("/api/triggers", json=body))["id"])
