"""Revisions in requests and responses: waiting for one, and adding it to a response."""

from promptops_platform.changes.feed import Feed
from promptops_platform.errors import Unavailable

# How long a caller waits for a change that another replica has announced to it.
REACH_SECONDS = 2.0
Headers = tuple[tuple[bytes, bytes], ...]


async def reach(feed: Feed, min_revision: int, epoch: str | None) -> None:
    """Wait until this replica has reached `min_revision`; raises Unavailable. A revision of another
    epoch is meaningless here and is ignored."""
    if feed.applied >= min_revision or (epoch and epoch != feed.epoch):
        return
    if not await feed.reaches_revision(min_revision, REACH_SECONDS):
        raise Unavailable(
            f"this replica is at revision {feed.applied}, not yet at {min_revision}; try again"
        )


def revision_headers(feed: Feed) -> Headers:
    """Return the headers with the current revision and its epoch."""
    return (
        (b"x-promptops-revision", b"%d" % feed.applied),
        (b"x-promptops-epoch", feed.epoch.encode()),
    )
