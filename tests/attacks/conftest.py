"""The platforms that these tests attack."""

from harness.platform_fixtures import (
    data_folder,
    database_kind,
    loop_watchdog,
    no_stalled_loop,
    platform,
)

__all__ = ["data_folder", "database_kind", "loop_watchdog", "no_stalled_loop", "platform"]
