"""Who has created an API key; the key is deleted with its maker."""

from typing import Literal, NamedTuple

from promptops_platform.access import key_repository, repository
from promptops_platform.access.actor import COMMAND_LINE, Actor
from promptops_platform.access.tables import ApiKeyRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Unauthorized

# A key from an older release may not have a maker.
MakerKind = Literal["user", "key", "static token", "command line", "unknown"]


class Maker(NamedTuple):
    """A user or another key by id, or whoever runs the platform. `owner_id` is the user at the
    beginning of a chain of keys."""

    kind: MakerKind
    id: str | None = None
    owner_id: str | None = None


def maker_of(actor: Actor) -> Maker:
    """Return the caller as the maker of a key."""
    if actor.user_id is not None:
        return Maker("user", actor.user_id, actor.user_id)
    if actor.key_id is not None:
        return Maker("key", actor.key_id, actor.owner_id)
    return Maker("command line" if actor.name == COMMAND_LINE.name else "static token")


async def hold_maker(transaction: Transaction, maker: Maker) -> None:
    """Lock a maker against deletion until the commit; raises Unauthorized if it is deleted
    already."""
    session = transaction.session
    is_there = maker.owner_id is None or await repository.hold_user(session, maker.owner_id)
    if is_there and maker.kind == "key" and maker.id is not None:
        is_there = await key_repository.hold_key(session, maker.id)
    if not is_there:
        raise Unauthorized("the account or API key that you use was deleted; log in again")


async def descendants(transaction: Transaction, row: ApiKeyRow) -> list[ApiKeyRow]:
    """Return the keys that a locked key has created, and the keys created by these, locked as
    well."""
    rows: list[ApiKeyRow] = []
    makers = [row]
    while makers:
        makers = await key_repository.made_by_keys(
            transaction.session, [maker.id for maker in makers]
        )
        rows += makers
    return rows
