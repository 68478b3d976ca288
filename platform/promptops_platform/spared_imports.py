"""Imports without the libraries that only colour texts which nobody here sees.

httpx, Mako and structlog load both where they find them, with every lexer. They work without them
as well, and a process takes 8 MB less.
"""

import sys
from importlib import import_module
from types import ModuleType

SPARED = ("pygments", "rich")


def import_without_colours(name: str) -> ModuleType:
    """The module; a plain import where a spared library is loaded already."""
    if any(spared in sys.modules for spared in SPARED):
        return import_module(name)
    for spared in SPARED:
        # An import of a name that stands there as None fails as if it were not installed.
        sys.modules[spared] = None  # type: ignore[assignment]
    try:
        return import_module(name)
    finally:
        for spared in SPARED:
            del sys.modules[spared]
