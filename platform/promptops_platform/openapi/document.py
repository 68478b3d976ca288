"""The API's document, which is created on the first request."""

from collections.abc import Callable
from typing import Any


class ApiDocument:
    """Creates the document with `make`, which caches it for all platforms of a process."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make

    def made(self) -> dict[str, Any]:
        """Return the document as JSON."""
        return self._make()
