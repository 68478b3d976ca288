"""What both clients are made of, whatever their input and output."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from promptops.answers import Answers
from promptops.fetching import Fetches, Place
from promptops.following import Following
from promptops.listeners import Listeners, Telling
from promptops.memory import Memory
from promptops.prompts import is_text
from promptops.saved import Bundle, Disk
from promptops.transport import ServerAddress
from promptops.version import VERSION

# More than a day is a mistake, and more than operating systems can wait for.
LONGEST_TIMEOUT = 24 * 60 * 60.0

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
        """Raises ValueError for what can't be right, TypeError for None and other wrong types."""
        self._check_types()
        ServerAddress.parse(self.server)
        for name in ("namespace", "app_name", "workspace"):
            if not is_text(getattr(self, name)):
                raise ValueError(f"the {name} can't have half a surrogate pair")
        if not self.token or not all("!" <= character <= "~" for character in self.token):
            raise ValueError("the token must be printable ASCII without blanks, and not empty")
        if not 0 < self.timeout <= LONGEST_TIMEOUT:
            raise ValueError(
                f"the time-out must be more than 0 seconds and at most a day, not {self.timeout}"
            )
        if not self.max_age >= 0:
            raise ValueError(f"the highest age must be 0 seconds or more, not {self.max_age}")

    def _check_types(self) -> None:
        for name in ("server", "namespace", "token", "app_name", "workspace"):
            _check_type(name, getattr(self, name), str, "a text")
        for name in ("timeout", "max_age"):
            _check_type(name, getattr(self, name), (int, float), "a number of seconds")
        for name in ("cache_dir", "bundle"):
            path = getattr(self, name)
            if path is not None:
                _check_type(name, path, (str, os.PathLike), "a path")
            if path == "":
                raise ValueError(f"{name} is empty; give a path, or leave it out")


def _check_type(name: str, value: object, types: type | tuple[type, ...], expected: str) -> None:
    if isinstance(value, bool) or not isinstance(value, types):
        # The value may be a token: only its type is named.
        kind = "None" if value is None else type(value).__name__
        raise TypeError(f"{name} must be {expected}, not {kind}; leave it out for the default")


class Setup:
    """The state of a client that knows neither threads nor tasks.

    `tell` takes what listeners have to be told of a fetch; it must not do so at once, while the
    fetch is not over.
    """

    def __init__(self, options: Options, tell: Callable[[Telling], object]) -> None:
        options.check()
        self.options = options
        self.address = ServerAddress.parse(options.server)
        self.listeners = Listeners()
        self.memory = Memory(options.max_age)
        place = Place(options.namespace, options.workspace)
        bundle = None if options.bundle is None else Bundle(options.bundle, options.namespace)
        self.fetches = Fetches(
            self.memory,
            place,
            self._disk(),
            bundle,
            on_refused=lambda error: tell(lambda: self.listeners.refused(error)),
            on_gone=lambda event: tell(lambda: self.listeners.deleted(event)),
        )
        self.answers = Answers(self.memory, options.namespace, self.fetches.fallback)

    def new_following(self) -> Following:
        """For a new watch, that has been told nothing yet."""
        return Following(self.fetches, self.options.namespace, self.listeners)

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
