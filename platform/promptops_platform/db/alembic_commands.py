"""Alembic's part of a migration, on an open connection."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from promptops_platform.db.schema import MIGRATIONS


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for commands on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Upgrade the schema to this revision, within the connection's transaction."""
    command.upgrade(alembic_config(connection), revision)
