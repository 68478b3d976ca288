"""The settings in force, as they may be shown."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from promptops_platform.settings import Settings

HIDDEN = "(hidden)"


def shown_settings(settings: Settings) -> dict[str, str]:
    """Each variable with its value; of secrets only whether they are set, and of addresses not
    who logs in there."""
    return {
        variable_of(name): _shown(name, getattr(settings, name), settings)
        for name in Settings.model_fields
    }


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    choices = getattr(Settings.model_fields[name].validation_alias, "choices", None)
    return str(choices[0]) if choices else f"PROMPTOPS_{name.upper()}"


def without_login(url: str) -> str:
    """The address without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _shown(name: str, value: Any, settings: Settings) -> str:
    if value is None or value == "":
        return "(not set)"
    if name == "database_url":
        return str(settings.database_location)
    if isinstance(value, SecretStr):
        default = Settings.model_fields[name].default
        return "(the well-known default)" if value == default else HIDDEN
    text = str(value)
    return without_login(text) if "://" in text else text
