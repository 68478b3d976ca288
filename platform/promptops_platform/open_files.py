"""The limit of open files and sockets of this process."""

import resource

# If the system sets no limit.
UNBOUNDED = 1_048_576


def raise_limit() -> int:
    """Raise the limit to the most that an unprivileged process may set; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = UNBOUNDED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < highest:
        # macOS reports unlimited but accepts less.
        for number in (highest, 10_240):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
            except (ValueError, OSError):
                continue
            break
    return limit()


def limit() -> int:
    """Return the current limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNBOUNDED if soft == resource.RLIM_INFINITY else soft
