"""How many files and sockets this process may have open."""

import resource

# Where the system sets no bound.
UNBOUNDED = 1_048_576


def raise_limit() -> int:
    """Allow as many as an unprivileged process may; returns the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = UNBOUNDED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < highest:
        # macOS says unlimited and takes less.
        for number in (highest, 10_240):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
            except (ValueError, OSError):
                continue
            break
    return limit()


def limit() -> int:
    """How many there may be now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNBOUNDED if soft == resource.RLIM_INFINITY else soft
