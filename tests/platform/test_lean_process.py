"""What a platform on SQLite does not load: each of these costs every installation megabytes."""

import subprocess
import sys

SPARED = ("alembic", "asyncpg", "cryptography", "mako", "prefect", "pygments", "rich")
PROGRAM = f"""
import sys
import promptops_platform.cli
print(*(name for name in {SPARED!r} if name in sys.modules))
"""


def test_the_command_loads_nothing_that_it_does_not_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
