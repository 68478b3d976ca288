"""Python sources as syntax trees."""

import ast
import gc


def parse(source: str) -> ast.Module:
    """`ast.parse`, in a process with other threads too. Before Python 3.11.8 it fails if another
    thread parses at the same time, which can only be while garbage is collected
    (https://github.com/python/cpython/issues/106905)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if was_enabled:
            gc.enable()
