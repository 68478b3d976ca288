"""Patches the copy of Prefect's web interface that its server creates in the data folder.

The original interface loads the settings of an analytics service from another host, regardless of
Prefect's own settings, and hides *Cancel* and *Retry* for flow runs without a deployment. The
engine handles both buttons without one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

# The function that returns the interface's account at the service. Without an account it sends no
# requests.
_ACCOUNT = re.compile(rb"(\(\)\{return`)[0-9a-f]{32}(?=`\})")
_BUTTON = re.compile(
    rb"(\w+)&&\(0,\w+\.jsx\)\(\w+,\{onClick:\(\)=>\w+\(!0\),children:`(?:Cancel|Retry)`\}\)"
)
_CONDITION = rb"\b(%s=\w+\(\w+\.state_type\))&&\w+\.deployment_id"


def adapt(folder: Path) -> None:
    """Patch the scripts in that folder, if they aren't patched already."""
    _change(folder, "index-*.js", without_statistics)
    _change(folder, "flow-run._id-*.js", with_buttons)


def without_statistics(script: bytes) -> bytes:
    return _ACCOUNT.sub(rb"\1", script)


def with_buttons(script: bytes) -> bytes:
    """Show *Cancel* and *Retry* in a flow run's menu by the run's state alone."""
    for name in set(_BUTTON.findall(script)):
        script = re.sub(_CONDITION % re.escape(name), rb"\1", script)
    return script


def _change(folder: Path, pattern: str, change: Callable[[bytes], bytes]) -> None:
    scripts = list((folder / "assets").glob(pattern))
    if not scripts:
        logging.getLogger("prefect.server").warning("no %s in Prefect's interface", pattern)
    for script in scripts:
        before = script.read_bytes()
        after = change(before)
        if after != before:
            draft = script.with_suffix(".draft")
            draft.write_bytes(after)
            draft.replace(script)
