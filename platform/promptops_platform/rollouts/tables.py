"""The table of rollouts."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class RolloutRow(Table):
    """How a prompt's fetches are distributed over its versions.

    A variant has `name`, `version` and `weight`, in basis points that add up to 10,000.
    """

    __tablename__ = "rollouts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(
        ForeignKey("prompts.id", ondelete="CASCADE"), unique=True
    )
    enabled: Mapped[bool]
    variants: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # Experiments with different salts assign their subjects independently.
    salt: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
