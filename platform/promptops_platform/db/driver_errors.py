"""asyncpg's own errors, which SQLAlchemy does not wrap when a connection is opened.

Only an installation on PostgreSQL loads asyncpg; where it is not loaded, nothing raises its errors.
"""

import sys


def postgres_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """The classes and `others`, for `except` and `isinstance`."""
    asyncpg = sys.modules.get("asyncpg")
    return others if asyncpg is None else (*others, asyncpg.PostgresError, asyncpg.InterfaceError)
