"""Valid names of work pools."""

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints

POOL_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
# The empty name is the platform's own engine.
POOL = re.compile(f"({POOL_PATTERN})?", re.ASCII)
POOL_RULE = "at most 63 lower case letters, digits, - and _, or nothing"
PoolName = Annotated[str, StringConstraints(pattern=f"^{POOL_PATTERN}$")]
DefinitionPool = Annotated[str, StringConstraints(pattern=f"^({POOL_PATTERN})?$")]
DEFINITION_POOL: Any = Field(
    default=None,
    description="The work pool whose workers execute the runs; empty for the platform's own "
    "engine.",
)
