"""The table of workflows."""

from typing import Any

from sqlalchemy import JSON, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Table
from promptops_platform.definitions.columns import DefinitionColumns


class WorkflowRow(DefinitionColumns, Table):
    __tablename__ = "workflows"
    __table_args__ = (UniqueConstraint("workspace_id", "key"),)

    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # A JSON Schema of the run's variables; empty if any are accepted.
    input_schema: Mapped[dict[str, Any]] = mapped_column(JSON)
    defaults: Mapped[dict[str, Any]] = mapped_column(JSON)
    timeout: Mapped[str] = mapped_column(String(40))
    # A step's name, or a template over steps; empty for the last step.
    output: Mapped[str] = mapped_column(Text)
    strict: Mapped[bool]
    # The work pool whose workers execute its runs; empty for the platform's own engine.
    pool: Mapped[str] = mapped_column(String(63))
