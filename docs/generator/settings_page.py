"""The reference of the settings, from the class that reads them."""

from pathlib import PurePath
from typing import Any

from markdown import SOURCE_NOTE, cell, code, table
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from promptops_platform.settings import Settings


def page() -> str:
    prefix = str(Settings.model_config["env_prefix"])
    rows = [
        (code(_variable(prefix, name, field)), code(_default(field)), cell(field.description or ""))
        for name, field in Settings.model_fields.items()
    ]
    return (
        f"{SOURCE_NOTE}# Settings\n\nAll settings are read from the environment; an empty value means "
        "not set. [Notes on settings](../settings.md) explains them.\n\n"
        + table(("Variable", "Default", "Meaning"), rows)
    )


def _variable(prefix: str, name: str, field: Any) -> str:
    choices = getattr(field.validation_alias, "choices", None)
    return str(choices[0]) if choices else f"{prefix}{name}".upper()


def _default(field: Any) -> str:
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float | PurePath) else ""
