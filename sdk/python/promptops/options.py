"""The options and the shared state of both clients, without input and output."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from promptops.bundle import Bundle
from promptops.disk_cache import DiskCache
from promptops.fetch_policy import FetchPolicy, PromptScope
from promptops.listeners import Listeners, Notification
from promptops.prompt_store import PromptStore
from promptops.prompts import is_text
from promptops.results import PromptResults
from promptops.sync_state import SyncState
from promptops.transport import ServerAddress
from promptops.version import VERSION

# More than a day is a mistake, and more than operating systems can wait.
LONGEST_TIMEOUT = 24 * 60 * 60.0

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Options:
    """The options of a client."""

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
        """Raises ValueError for invalid values, TypeError for None and other wrong types."""
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
        # The value may be a token, so the message shows only its type.
        kind = "None" if value is None else type(value).__name__
        raise TypeError(f"{name} must be {expected}, not {kind}; leave it out for the default")


class ClientState:
    """The state of a client, independent of threads and tasks.

     `notify` takes notifications for listeners. It must deliver them later, after the fetch has
    ended.
    """

    def __init__(self, options: Options, notify: Callable[[Notification], object]) -> None:
        options.check()
        self.options = options
        self.address = ServerAddress.parse(options.server)
        self.listeners = Listeners()
        self.store = PromptStore(options.max_age)
        scope = PromptScope(options.namespace, options.workspace)
        bundle = None if options.bundle is None else Bundle(options.bundle, options.namespace)
        self.policy = FetchPolicy(
            self.store,
            scope,
            self._disk(),
            bundle,
            on_refused=lambda error: notify(lambda: self.listeners.notify_refusal(error)),
            on_removed=lambda event: notify(lambda: self.listeners.notify_deletion(event)),
        )
        self.results = PromptResults(self.store, options.namespace, self.policy.find_fallback)

    def new_sync_state(self) -> SyncState:
        """Return the state for a new watch."""
        return SyncState(self.policy, self.options.namespace, self.listeners)

    def watch_path(self, sync_state: SyncState) -> str:
        """Return the path of the event stream, which resumes at the position of `sync_state`."""
        query = {
            "client": "python",
            "version": VERSION,
            "app": self.options.app_name,
            "namespace": self.options.namespace,
            **sync_state.resume_parameters(),
        }
        if self.options.workspace:
            query["workspace"] = self.options.workspace
        return f"/ws?{urlencode(query)}"

    def _disk(self) -> DiskCache | None:
        options = self.options
        if options.cache_dir is None:
            return None
        return DiskCache(options.cache_dir, self.address.url, options.workspace, options.namespace)
