"""Executes the commands of pages in docs/."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NEEDED = ("bash", "curl", "openssl", "base64", "od")
needs_a_shell = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason="needs a shell's usual tools"
)


def blocks(page: str, language: str = "sh") -> list[str]:
    """The code blocks of a page, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


async def shell_output(commands: str, **variables: str) -> str:
    """A shell's output for these commands."""
    assignments = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-eu",
        "-o",
        "pipefail",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate((assignments + commands).encode())
    assert process.returncode == 0, (printed + errors).decode()
    return printed.decode()
