"""The reference of the command `promptops`, from its definition."""

from collections.abc import Iterator
from typing import Any

import typer.main
from markdown import SOURCE_NOTE, cell, code, fenced, prose, table

from promptops_platform.cli import app


def page() -> str:
    root: Any = typer.main.get_command(app)
    intro = (
        "# Commands\n\n`promptops` takes its settings from the environment: see "
        "[settings](settings.md). `promptops COMMAND --help` shows the same as this page.\n\n"
    )
    return SOURCE_NOTE + intro + "".join(_commands(root, "promptops"))


def _commands(group: Any, prefix: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield _command(f"{prefix} {name}", command)


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join([name, "[OPTIONS]" if options else "", *map(_argument, arguments)])
    rows = [(_names(one), cell(one.help or ""), _default(one)) for one in [*arguments, *options]]
    return f"## {name}\n\n{prose(command.help)}{fenced('sh', ' '.join(usage.split()))}" + table(
        ("Option", "", "Default"), rows
    )


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    return name if argument.required else f"[{name}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(_argument(parameter))
    return ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))


def _default(parameter: Any) -> str:
    value = parameter.default
    is_shown = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return code(str(value)) if is_shown else ""
