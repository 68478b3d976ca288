"""The platform: the registry's service, its API and its commands."""

from promptops_platform.spared_imports import import_without_colours

for _name in ("httpx", "structlog"):
    import_without_colours(_name)
