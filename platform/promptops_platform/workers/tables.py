"""The table of workers, which execute runs of work pools."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from promptops_platform.db.tables import Id, Table
from promptops_platform.db.types import UtcDateTime


class WorkerRow(Table):
    """A process of `promptops worker`; its id is new at each start. `running` is how many runs it
    executed when it was last seen, `key_id` the API key that it used."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_seen_at", "seen_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    key_id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(200))
    pool: Mapped[str] = mapped_column(String(63))
    version: Mapped[str] = mapped_column(String(64))
    concurrency: Mapped[int]
    running: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
