"""The API's document, which is made when it is first asked for."""

from collections.abc import Callable
from typing import Any


class ApiDocument:
    """Makes the document by `make`, which remembers it for all platforms of a process."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make

    def made(self) -> dict[str, Any]:
        """The document as JSON."""
        return self._make()
