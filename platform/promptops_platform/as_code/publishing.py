"""Publishes resources that have been pushed, for `--publish`."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptops_platform.as_code.remote import Remote, ServerError, Stored
from promptops_platform.as_code.resources import WITHOUT_VERSIONS, Identity


@dataclass(slots=True)
class Publication:
    """The environments that serve it now, and further messages."""

    environments: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"published in {env}" for env in self.environments]
        return ", ".join((*parts, *self.requests, *self.errors))


def unserved_environments(remote: Remote, identity: Identity, stored: Stored) -> list[str]:
    """Return the environments in which a publish would change what is served. Raises
    ServerError."""
    if identity.kind in WITHOUT_VERSIONS:
        return []
    return [
        env for env in remote.environments_of(identity) if not remote.serves(identity, stored, env)
    ]


def publish(remote: Remote, identity: Identity, stored: Stored, note: str) -> Publication:
    """Serve it in all its environments that serve something else. A refusal does not stop the
    others. Raises ServerError if the environments can't be read."""
    publication = Publication()
    for env in unserved_environments(remote, identity, stored):
        try:
            request = remote.publish(identity, stored, env, note)
        except ServerError as error:
            publication.errors.append(f"not published in {env}: {error}")
            continue
        if request is None:
            publication.environments.append(env)
        else:
            publication.requests.append(f"change request {request} waits in {env}")
    return publication
