"""The platforms that these tests share."""

from harness.platform_fixtures import (
    costly_passwords,
    data_folder,
    database_kind,
    few_rounds,
    loop_watchdog,
    module_platform,
    no_slow_poll,
    no_stalled_loop,
    platform,
)

__all__ = [
    "costly_passwords",
    "data_folder",
    "database_kind",
    "few_rounds",
    "loop_watchdog",
    "module_platform",
    "no_slow_poll",
    "no_stalled_loop",
    "platform",
]
