"""Many connections need many open files."""

import resource


def allow_many_open_files() -> int:
    """Raise this process's limit, which its children inherit, as far as it may; the new limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
