"""What both clients are made of, whatever their input and output."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from promptops.answers import Answers
from promptops.fetching import Fetches, Place
from promptops.following import Following
from promptops.listeners import Listeners
from promptops.memory import Memory
from promptops.saved import Bundle, Disk
from promptops.transport import ServerAddress
from promptops.version import VERSION

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Options:
    """What a client was made with."""

    server: str
    namespace: str
    token: str
    app_name: str
    workspace: str
    timeout: float
    max_age: float
    cache_dir: AnyPath | None
    bundle: AnyPath | None

    def check(self) -> None:
        """Raises ValueError for what can't be right."""
        ServerAddress.parse(self.server)
        if not self.token or not all("!" <= character <= "~" for character in self.token):
            raise ValueError("the token must be printable ASCII without blanks, and not empty")
        if not self.timeout > 0:
            raise ValueError(f"the time-out must be more than 0 seconds, not {self.timeout}")
        if not self.max_age >= 0:
            raise ValueError(f"the highest age must be 0 seconds or more, not {self.max_age}")


class Setup:
    """The state of a client that knows neither threads nor tasks.

    `finish` takes what listeners have answered that were told something outside of the watch.
    """

    def __init__(self, options: Options, finish: Callable[[list[Any]], object]) -> None:
        options.check()
        self.options = options
        self.address = ServerAddress.parse(options.server)
        self.listeners = Listeners()
        self.memory = Memory(options.max_age)
        self.answers = Answers(self.memory, options.namespace)
        place = Place(options.namespace, options.workspace)
        bundle = None if options.bundle is None else Bundle(options.bundle)
        self.fetches = Fetches(
            self.memory,
            place,
            self._disk(),
            bundle,
            on_refused=lambda error: finish(self.listeners.refused(error)),
            on_gone=lambda event: finish(self.listeners.deleted(event)),
        )

    def new_following(self) -> Following:
        """For a new watch, that has been told nothing yet."""
        listening = self.listeners.update
        return Following(self.fetches, self.options.namespace, lambda: bool(listening))

    def watch_path(self, following: Following) -> str:
        """Where events are listened to, from where `following` has come to."""
        query = {
            "client": "python",
            "version": VERSION,
            "app": self.options.app_name,
            "namespace": self.options.namespace,
            **following.position(),
        }
        if self.options.workspace:
            query["workspace"] = self.options.workspace
        return f"/ws?{urlencode(query)}"

    def _disk(self) -> Disk | None:
        options = self.options
        if options.cache_dir is None:
            return None
        return Disk(options.cache_dir, self.address.url, options.workspace, options.namespace)


def check_key(key: str) -> None:
    """Raises ValueError for what is no key."""
    if not key:
        raise ValueError("a prompt's key can't be empty")
