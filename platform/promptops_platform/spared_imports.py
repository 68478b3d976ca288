"""Imports modules without the libraries that only colour console output, which nobody sees here.

httpx, Mako and structlog load such libraries if they are installed, with every lexer. They also
work without them, which saves 8 MB per process.
"""

import sys
from importlib import import_module
from types import ModuleType

SPARED = ("pygments", "rich")


def import_without_colours(name: str) -> ModuleType:
    """Return the module; a plain import if a spared library is already loaded."""
    if any(spared in sys.modules for spared in SPARED):
        return import_module(name)
    for spared in SPARED:
        # An import of a name whose entry is None fails as if it were not installed.
        sys.modules[spared] = None  # type: ignore[assignment]
    try:
        return import_module(name)
    finally:
        for spared in SPARED:
            del sys.modules[spared]
