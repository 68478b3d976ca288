"""Pull and push: make one side equal to the other, one resource after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptops_platform.as_code.comparison import Difference, Status, compare
from promptops_platform.as_code.folder import Folder
from promptops_platform.as_code.publishing import publish, unserved_environments
from promptops_platform.as_code.remote import ConflictError, Remote, ServerError, Stored
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.sync_state import Base

Say = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """How many resources were changed, left alone although they differ, or could not be changed."""

    changed: int = 0
    left: int = 0
    conflicts: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """`force` makes one side win conflicts, `delete` removes what the other side has removed,
    `dry_run` changes nothing. `publish` serves what is pushed, with `note`; `publish_all` also
    serves what was pushed before and is not served."""

    force: bool = False
    delete: bool = False
    dry_run: bool = False
    publish: bool = False
    publish_all: bool = False
    note: str = ""


class Sync:
    """`say` is called with one line per resource that differs."""

    def __init__(self, folder: Folder, remote: Remote, say: Say) -> None:
        self._folder = folder
        self._remote = remote
        self._say = say
        self._bases: dict[Identity, Base] = {}

    def differences(self) -> list[Difference]:
        """Return all resources that differ. Raises FolderError or ServerError."""
        return [item for item in self._compare() if item.status is not Status.SAME]

    def _compare(self) -> list[Difference]:
        here = {
            identity: content
            for identity, content in self._folder.read().items()
            if self._remote.covers(identity)
        }
        there = self._remote.read()
        sync_state = self._folder.sync_state.of(
            self._remote.server, self._remote.workspace, {stored.id for stored in there.values()}
        )
        self._bases = sync_state.bases
        differences = compare(here, there, self._bases)
        for difference in differences:
            if difference.status is Status.SAME:
                self._agree(difference.identity, difference.there, difference.here)
        return differences

    def pull(self, options: SyncOptions) -> Report:
        """Change the folder. Raises FolderError or ServerError, and stops then."""
        report = Report()
        for difference in self.differences():
            self._pull(difference, options, report)
        self._remember(options)
        return report

    def push(self, options: SyncOptions) -> Report:
        """Change the server. Refusals of the server are reported, and don't stop the others."""
        report = Report()
        try:
            for difference in self._compare():
                self._push(difference, options, report)
        finally:
            self._remember(options)
        return report

    def _pull(self, difference: Difference, options: SyncOptions, report: Report) -> None:
        identity, there = difference.identity, difference.there
        takes_theirs = difference.status in (Status.NEW_THERE, Status.CHANGED_THERE) or (
            options.force and difference.status in (Status.CONFLICT, Status.CHANGED_HERE)
        )
        if takes_theirs and there is not None:
            self._say(f"{identity}: {difference.status}, written")
            report.changed += 1
            if not options.dry_run:
                self._folder.write(identity, there.content)
                self._agree(identity, there, there.content)
        elif there is None and (difference.status is Status.DELETED_THERE or takes_theirs):
            self._pull_deletion(difference, options, report)
        else:
            self._leave(difference, report)

    def _pull_deletion(self, difference: Difference, options: SyncOptions, report: Report) -> None:
        if not options.delete:
            self._say(f"{difference.identity}: {difference.status}; --delete removes the file")
            report.left += 1
            return
        self._say(f"{difference.identity}: {difference.status}, file removed")
        report.changed += 1
        if not options.dry_run:
            self._folder.remove(difference.identity)
            self._bases.pop(difference.identity, None)

    def _push(self, difference: Difference, options: SyncOptions, report: Report) -> None:
        takes_ours = difference.status in (Status.NEW_HERE, Status.CHANGED_HERE) or (
            options.force
            and difference.status in (Status.CONFLICT, Status.CHANGED_THERE, Status.DELETED_THERE)
        )
        try:
            if difference.here is not None and takes_ours:
                self._save(difference, difference.here, options, report)
            elif difference.status is Status.SAME:
                self._publish_same(difference, options, report)
            elif difference.here is None and difference.status is Status.DELETED_HERE:
                self._push_deletion(difference, options, report)
            else:
                self._leave(difference, report)
        except ConflictError as error:
            self._say(f"{difference.identity}: not changed: {error}")
            report.conflicts += 1
        except ServerError as error:
            self._say(f"{difference.identity}: not changed: {error}")
            report.refused += 1

    def _save(
        self, difference: Difference, here: Content, options: SyncOptions, report: Report
    ) -> None:
        identity, there = difference.identity, difference.there
        if options.dry_run:
            self._say(f"{identity}: {difference.status}, would be pushed")
            report.changed += 1
            return
        if there is None:
            stored = self._remote.create(identity, here)
        else:
            stored = self._remote.update(identity, there, here)
        self._agree(identity, stored, here)
        if stored.content != here:
            # The server normalizes names, for instance removes surrounding blanks.
            self._folder.write(identity, stored.content)
            self._agree(identity, stored, stored.content)
        report.changed += 1
        text = f"{identity}: {difference.status}, pushed"
        self._say(", ".join((text, *self._published(identity, stored, options, report))))

    def _published(
        self, identity: Identity, stored: Stored, options: SyncOptions, report: Report
    ) -> list[str]:
        """Publish it and return the message."""
        if not options.publish:
            return []
        publication = publish(self._remote, identity, stored, options.note)
        report.refused += bool(publication.errors)
        return [str(publication)] if str(publication) else []

    def _publish_same(self, difference: Difference, options: SyncOptions, report: Report) -> None:
        """It was already pushed, but programs may still get something else."""
        identity, there = difference.identity, difference.there
        if there is None or not options.publish_all:
            return
        if options.dry_run:
            envs = unserved_environments(self._remote, identity, there)
            texts = [f"would be published in {env}" for env in envs]
        else:
            texts = self._published(identity, there, options, report)
        if texts:
            self._say(f"{identity}: {', '.join(texts)}")
            report.changed += 1

    def _push_deletion(self, difference: Difference, options: SyncOptions, report: Report) -> None:
        if not options.delete:
            self._say(f"{difference.identity}: {difference.status}; --delete removes it there")
            report.left += 1
            return
        if difference.there is not None and not options.dry_run:
            self._remote.delete(difference.identity, difference.there)
            self._bases.pop(difference.identity, None)
        self._say(f"{difference.identity}: {difference.status}, removed from the server")
        report.changed += 1

    def _leave(self, difference: Difference, report: Report) -> None:
        if difference.status is Status.CONFLICT:
            report.conflicts += 1
            self._say(f"{difference.identity}: {difference.status}, left alone")
        elif difference.status is not Status.NEW_THERE:
            # A push is not concerned with what others have on the server.
            report.left += 1
            self._say(f"{difference.identity}: {difference.status}")

    def _agree(self, identity: Identity, there: Stored | None, here: Content | None) -> None:
        if there is not None and here is not None:
            self._bases[identity] = Base(there.id, there.revision, here.hash)

    def _remember(self, options: SyncOptions) -> None:
        if not options.dry_run:
            self._folder.sync_state.save()
