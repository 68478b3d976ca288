"""Publishing, and waiting until the clients that use the prompt have applied it."""

from promptops_platform.access.actor import Actor
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts.acknowledgement import Acknowledgements, Publication, Published
from promptops_platform.prompts.schemas import PromptVersion
from promptops_platform.prompts.service import PromptService


class Publishing:
    """Publishes in its own transaction, which is committed before the wait."""

    def __init__(
        self,
        *,
        database: Database,
        prompts: PromptService,
        changes: ChangeLog,
        clients: Acknowledgements,
    ) -> None:
        self._database = database
        self._prompts = prompts
        self._changes = changes
        self._clients = clients

    async def publish(
        self,
        prompt_id: str,
        *,
        actor: Actor,
        label: str | None = None,
        note: str = "",
        seen: frozenset[int] | None = None,
        wait_seconds: float | None = None,
    ) -> Publication:
        """Publish the working copy, or the version `label`; raises what `PromptService.publish`
        raises.

        With `wait_seconds` it returns once all clients that use the prompt have applied it or the
        time is up. No transaction is open while it waits.
        """
        async with self._database.write() as transaction:
            version = await self._prompts.publish(
                transaction, prompt_id, actor=actor, label=label, note=note, seen=seen
            )
            if wait_seconds is None:
                return Publication(data=PromptVersion.of(version))
            row = await self._prompts.get(transaction, prompt_id, actor=actor)
            published_at = row.updated_at
        published = Published(row.id, row.env, row.key, self._changes.revision_of(transaction))
        clients = await self._clients.acknowledged(published, wait_seconds, actor=actor)
        return Publication(
            data=PromptVersion.of(version), **dict(clients), published_at=published_at
        )
