"""What all commands share: settings, and one sentence for each error."""

import sys
from collections.abc import Callable
from typing import NoReturn

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from promptops_platform.data_folder import DataFolderInUse, DataFolderNotUsable
from promptops_platform.db.schema import DatabaseNotUsable, SchemaRefused
from promptops_platform.errors import PlatformError, StartRefused
from promptops_platform.http.error_answers import sentences
from promptops_platform.logs import configure_logs
from promptops_platform.runlog.redaction import policy_of
from promptops_platform.settings import Settings
from promptops_platform.supervision.login_files import UnreadableCredentialsError

REFUSALS = (
    DataFolderInUse,
    DataFolderNotUsable,
    DatabaseNotUsable,
    SchemaRefused,
    StartRefused,
    UnreadableCredentialsError,
    PlatformError,
    OSError,
    ValueError,
)


def read_settings() -> Settings:
    """Return the settings; ends the program if they are invalid."""
    try:
        settings = Settings()
    except ValidationError as error:
        refuse("; ".join(setting_error(detail) for detail in error.errors()))
    try:
        texts = policy_of(
            texts=settings.run_texts,
            kinds=settings.run_redact,
            patterns=settings.run_redact_patterns,
        )
    except StartRefused as error:
        refuse(str(error))
    configure_logs(settings.log_level, settings.log_format, texts)
    return settings


def guarded(action: Callable[[], None]) -> None:
    """Run `action`; an expected error ends the program with one sentence instead of a traceback."""
    try:
        action()
    except ValidationError as error:
        refuse("; ".join(sentences(error.errors())))
    except REFUSALS as error:
        refuse(str(error))


def refuse(sentence: str) -> NoReturn:
    """End the program with a sentence and exit code 1."""
    typer.echo(f"promptops: {sentence}", err=True)
    sys.exit(1)


def setting_error(error: ErrorDetails) -> str:
    """Return what is wrong with a setting, with the name of its variable; secrets are not
    repeated."""
    name = str(error["loc"][0])
    variable = name if name.isupper() else f"PROMPTOPS_{name.upper()}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{variable}: {message[:1].lower()}{message[1:]}"
