"""The settings in effect, in a form that may be shown."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from promptops_platform.settings import Settings

HIDDEN = "(hidden)"


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return each variable with its value; for secrets only whether they are set, and addresses
    without their logins."""
    return {
        variable_of(name): _shown(name, getattr(settings, name), settings)
        for name in Settings.model_fields
    }


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    choices = getattr(Settings.model_fields[name].validation_alias, "choices", None)
    return str(choices[0]) if choices else f"PROMPTOPS_{name.upper()}"


def without_login(url: str) -> str:
    """Return the address without user name and password."""
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
